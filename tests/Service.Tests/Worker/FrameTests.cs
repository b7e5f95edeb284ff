using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using MetaOpt.Runs;
using MetaOpt.Workers.Execution;
using MetaOpt.Workers.Supervision;
using Xunit;

namespace MetaOpt.Service.Tests.Workers;

public class FrameTests
{
    [Fact]
    public void Every_message_comes_back_as_it_was_sent()
    {
        using var pipe = new MemoryStream();
        RunEvent.Point[] points = [new("meta-loss", 1, 0.5), new("validation/final", long.MaxValue, double.NaN),
            new("x", 3, double.NegativeInfinity)];
        var id = Guid.NewGuid();
        Messages.Points(points).Write(pipe);
        Messages.Progress(new("train", 3, 40)).Write(pipe);
        Messages.ResumePoint(7, [1, 2, 3]).Write(pipe);
        Messages.Checkpoint(new("final", 9, [4, 5])).Write(pipe);
        Messages.Input(id, []).Write(pipe);
        Messages.Document(FrameKind.Result, new JsonObject { ["a"] = 1 }).Write(pipe);
        Messages.Failed(new(FailureKind.User, "no")).Write(pipe);
        pipe.Position = 0;

        Assert.Equal(points, Messages.ReadPoints(Frame.Read(pipe)!.Value));
        Assert.Equal(new RunEvent.Progress("train", 3, 40), Messages.ReadProgress(Frame.Read(pipe)!.Value));
        var (step, bytes) = Messages.ReadResumePoint(Frame.Read(pipe)!.Value);
        Assert.Equal((7, "AQID"), (step, Convert.ToBase64String(bytes)));
        var checkpoint = Messages.ReadCheckpoint(Frame.Read(pipe)!.Value);
        Assert.Equal(("final", 9L, "BAU="), (checkpoint.Name, checkpoint.Step, Convert.ToBase64String(checkpoint.Bytes)));
        var input = Messages.ReadInput(Frame.Read(pipe)!.Value);
        Assert.Equal(id, input.Id);
        Assert.Empty(input.Bytes);
        Assert.Equal(1, (int)Messages.ReadDocument(Frame.Read(pipe)!.Value)["a"]!);
        Assert.Equal(new Failure(FailureKind.User, "no"), Messages.ReadFailed(Frame.Read(pipe)!.Value));
        Assert.Null(Frame.Read(pipe));
    }

    [Fact]
    public void A_job_comes_back_as_it_was_sent_and_another_version_is_refused()
    {
        var job = new Job("evaluation", JsonElement.Parse("""{"seed":1}"""), 2, "/data", 0.5, 30);
        var frame = job.ToFrame();
        var back = Job.Parse(frame);
        Assert.Equal(("evaluation", 2, "/data", 0.5, 30.0),
            (back.Kind, back.Threads, back.DataFolder, back.ResumeSeconds, back.SilenceSeconds));
        Assert.Equal(1, back.Spec.GetProperty("seed").GetInt32());

        frame.Payload[3]++;
        Assert.Throws<InvalidDataException>(() => Job.Parse(frame));
        Assert.Throws<InvalidDataException>(() => Job.Parse(new Frame(FrameKind.Start, [])));
        Assert.Throws<InvalidDataException>(() => Job.Parse(null));
    }

    [Theory]
    [InlineData(0u, 17)]
    [InlineData((16u << 20) + 2, 17)]
    [InlineData((1u << 30) + 2, 19)]
    [InlineData(uint.MaxValue, 19)]
    [InlineData(1u, 99)]
    [InlineData(1u, 0)]
    public async Task A_wrong_length_or_kind_is_refused_before_anything_is_allocated(uint length, byte kind)
    {
        var header = new byte[5];
        BinaryPrimitives.WriteUInt32LittleEndian(header, length);
        header[4] = kind;
        Assert.Throws<InvalidDataException>(() => Frame.Read(new MemoryStream(header)));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await Frame.ReadAsync(new MemoryStream(header), default));
    }

    [Fact]
    public async Task A_stream_that_ends_within_a_frame_is_no_regular_end()
    {
        using var pipe = new MemoryStream();
        Messages.ResumePoint(7, new byte[100]).Write(pipe);
        for (var length = 1; length < pipe.Length; length += 7)
        {
            var cut = pipe.ToArray()[..length];
            Assert.Throws<EndOfStreamException>(() => Frame.Read(new MemoryStream(cut)));
            await Assert.ThrowsAsync<EndOfStreamException>(async () => await Frame.ReadAsync(new MemoryStream(cut), default));
        }
    }

    [Fact]
    public async Task A_full_buffer_makes_the_producer_wait_until_a_frame_is_stored()
    {
        var buffer = new EventBuffer(1000);
        await buffer.AddAsync(new(FrameKind.Points, new byte[900]), default);
        var second = buffer.AddAsync(new(FrameKind.Points, new byte[900]), default).AsTask();
        Assert.False(second.IsCompleted);
        Assert.True(buffer.TryTake(out var first));
        Assert.False(second.IsCompleted);
        buffer.Release(first);
        await second.WaitAsync(Patience.Limit);
        Assert.True(buffer.TryTake(out _));
    }

    [Fact]
    public void A_resume_point_is_made_only_when_due_or_at_the_end_and_comes_after_its_points()
    {
        using var pipe = new MemoryStream();
        using var stop = new CancellationTokenSource();
        var outbox = new Outbox(pipe, TimeSpan.FromHours(1), stop.Token);
        outbox.Send(new RunEvent.Point("a", 1, 1));
        outbox.Send(new RunEvent.ResumePoint(1, () => throw new InvalidOperationException("not due")));
        outbox.Send(new RunEvent.Point("a", 2, 2));
        stop.Cancel();
        outbox.Send(new RunEvent.ResumePoint(2, () => [1]));
        pipe.Position = 0;
        var (steps, kinds) = (new List<long>(), new List<FrameKind>());
        while (Frame.Read(pipe) is { } frame)
        {
            kinds.Add(frame.Kind);
            if (frame.Kind == FrameKind.Points) steps.AddRange(Messages.ReadPoints(frame).Select(p => p.Step));
        }
        Assert.Equal([1, 2], steps);
        Assert.Equal(FrameKind.ResumePoint, kinds[^1]);
        Assert.Single(kinds, FrameKind.ResumePoint);
    }

    [Fact]
    public void A_fault_is_sent_after_the_points_before_it_and_shortened()
    {
        using var pipe = new MemoryStream();
        var outbox = new Outbox(pipe, TimeSpan.FromHours(1), default);
        outbox.Send(new RunEvent.Point("a", 1, 1));
        outbox.Fail(FailureKind.Fault, new string('x', 9000));
        pipe.Position = 0;
        Assert.Equal(FrameKind.Points, Frame.Read(pipe)!.Value.Kind);
        var failure = Messages.ReadFailed(Frame.Read(pipe)!.Value);
        Assert.Equal((FailureKind.Fault, 8000), (failure.Kind, failure.Detail.Length));
    }

    [Fact]
    public void The_time_left_follows_from_recent_speed()
    {
        var meter = new SpeedMeter();
        var second = System.Diagnostics.Stopwatch.Frequency;
        Assert.Null(meter.Observe(new("train", 100, 1000), 0).SecondsLeft);
        meter.Observe(new("train", 150, 1000), second);
        var shown = meter.Observe(new("train", 200, 1000), 2 * second);
        Assert.Equal(50, shown.StepsPerSecond, 6);
        Assert.Equal(16, shown.SecondsLeft!.Value, 6);
        Assert.Null(meter.Observe(new("report", 0, 10), 3 * second).SecondsLeft);
    }
}
