using System.Diagnostics;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;

namespace MetaOpt.Bench;

/// <summary>A piece of work that both sides do: how it is written for the peer, what must agree, and how ours runs.</summary>
abstract class PeerCase(string name) : IDisposable
{
    /// <summary>Largest relative difference of a tensor with which both sides still do the same.</summary>
    const double MostDifference = 1e-3;

    /// <summary>As in the JSON file.</summary>
    public string Name => name;

    /// <summary>Ways in which the peer does it; those called decoupled are reported apart.</summary>
    public abstract IReadOnlyList<string> Variants { get; }

    /// <summary>Writes tensors and settings for the peer.</summary>
    public abstract void Write(PeerFolder folder);

    /// <summary>What the peer must agree with, tensor by tensor.</summary>
    public abstract IReadOnlyList<(string Name, double[] Values)> Result();

    /// <summary>Our seconds for one run.</summary>
    protected abstract double Run();

    /// <summary>Our mean seconds of as many runs as fit, at least one.</summary>
    public double Measure(double seconds)
    {
        var (sum, runs) = (0.0, 0);
        while (runs == 0 || sum < seconds)
        {
            sum += Run();
            runs++;
        }
        return sum / runs;
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Adds phi's tensors and the settings that all cases have.</summary>
    protected static void Finish(PeerFolder folder, JsonObject settings)
    {
        var at = 0;
        var phi = Workload.Phi();
        foreach (var (tensor, shape) in Workload.Rule.MetaParameters)
        {
            folder.Add(tensor, phi.AsSpan(at, shape.Count), shape.ToArray());
            at += shape.Count;
        }
        settings["phi"] = new JsonArray([.. Workload.Rule.MetaParameters.Select(p => JsonValue.Create(p.Name))]);
        (settings["scale"], settings["exponent"]) = (Workload.RuleShape.OutputScale, Workload.RuleShape.PreprocessingExponent);
        folder.Finish(settings);
    }

    /// <summary>
    /// Both sides' tensors: |ours - peer| / |ours| of each must be at most <see cref="MostDifference"/>. Returns the largest.
    /// </summary>
    /// <exception cref="BenchException">They differ, so that there is nothing to compare.</exception>
    public static double Agree(IReadOnlyList<(string Name, double[] Values)> ours, IReadOnlyList<double[]> peer, string who)
    {
        if (ours.Count != peer.Count) throw new BenchException($"{who}: {peer.Count} tensors came back, not {ours.Count}.");
        var worst = 0.0;
        for (var i = 0; i < ours.Count; i++)
        {
            var (tensor, values) = ours[i];
            if (values.Length != peer[i].Length)
                throw new BenchException($"{who}: {tensor} has {peer[i].Length} elements, not {values.Length}.");
            var error = Math.Sqrt(values.Zip(peer[i], (a, b) => (a - b) * (a - b)).Sum() / values.Sum(a => a * a));
            if (!(error <= MostDifference))
                throw new BenchException(
                    $"{who}: {tensor} differs from ours by {error:G3}, more than {MostDifference}: nothing is timed.");
            worst = Math.Max(worst, error);
        }
        return worst;
    }
}

/// <summary>One meta-step from the start of an inner run: unroll, meta-gradient, Adam on phi.</summary>
sealed class MetaStepCase(
    string name, IKernels<float> kernels, Workload work, int hidden, IReadOnlyList<string> variants, float[]? phi = null)
    : PeerCase(name)
{
    const int Batch = 128;
    readonly MetaTraining _training = new(kernels, work, phi);

    public override IReadOnlyList<string> Variants => variants;

    public override void Write(PeerFolder folder)
    {
        _training.Begin();
        folder.Add("theta", _training.Theta.ToArray(), work.Instances, work.Task.Coordinates);
        if (hidden > 0) WriteBatches(folder);
        else WriteQuadratics(folder);
        var task = hidden > 0 ? "network" : "quadratic";
        Finish(folder, new() { ["work"] = "meta-step", ["task"] = task, ["unroll"] = work.Unroll });
    }

    // Data have addresses (see docs/numerics.md): what the task draws is drawn here again.
    void WriteBatches(PeerFolder folder)
    {
        var (data, steps) = (Workload.RandomImages, work.Unroll + 1);
        var (images, labels) = (new float[steps * Batch * data.ImageElements], new float[steps * Batch]);
        for (var i = 0; i < labels.Length; i++)
        {
            var stream = new RandomStream(Workload.Seed, Split.Train, Purpose.MiniBatch, 0, (uint)(i / Batch));
            var row = stream.Index((uint)(i % Batch), data.Train.Count);
            labels[i] = data.Train.Labels[row];
            for (var p = 0; p < data.ImageElements; p++)
                images[i * data.ImageElements + p] = data.Train.Pixels[row * data.ImageElements + p] / 255f;
        }
        folder.Add("images", images, steps, Batch, data.ImageElements);
        folder.Add("labels", labels, steps, Batch);
        folder.Add("hidden", [hidden], 1);
    }

    void WriteQuadratics(PeerFolder folder)
    {
        var d = work.Task.Coordinates;
        var (w, y) = (new float[work.Instances * d * d], new float[work.Instances * d]);
        for (var b = 0; b < work.Instances; b++)
        {
            new RandomStream(Workload.Seed, Split.Train, Purpose.Instance, (uint)b).FillNormal(w.AsSpan(b * d * d, d * d), 1);
            new RandomStream(Workload.Seed, Split.Train, Purpose.Instance, (uint)b, 1).FillNormal(y.AsSpan(b * d, d), 1);
        }
        folder.Add("w", w, work.Instances, d, d);
        folder.Add("y", y, work.Instances, d);
    }

    public override IReadOnlyList<(string Name, double[] Values)> Result()
    {
        _training.Begin();
        _training.Unroll();
        var result = new List<(string, double[])>();
        var at = 0;
        foreach (var (tensor, shape) in Workload.Rule.MetaParameters)
        {
            result.Add((tensor, _training.Gradient[at..(at + shape.Count)]));
            at += shape.Count;
        }
        return result;
    }

    protected override double Run()
    {
        _training.Begin();
        var start = Stopwatch.GetTimestamp();
        _training.Unroll();
        _training.UpdatePhi();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public override void Dispose() => _training.Dispose();
}

/// <summary>The step of the frozen optimizer alone, on given gradients.</summary>
sealed class InnerStepCase : PeerCase
{
    readonly Arena<float> _arena = new();
    readonly Tensor<float> _theta, _gradient;
    readonly IOptimizerState _optimizer;

    public InnerStepCase(string name, IKernels<float> kernels, int coordinates) : base(name)
    {
        _theta = _arena.Zeros(new Shape(1, coordinates));
        _gradient = _arena.Take(_theta.Shape);
        new RandomStream(Workload.Seed, Split.Train, Purpose.Instance).FillNormal(_gradient.Span, 0.01);
        _optimizer = new FrozenOptimizer(Workload.Rule, Workload.Phi()).Start(kernels, 1, coordinates);
    }

    public override IReadOnlyList<string> Variants => ["cell", "fused"];

    public override void Write(PeerFolder folder)
    {
        folder.Add("theta", _theta.Span, _theta.Count);
        folder.Add("gradient", _gradient.Span, _gradient.Count);
        Finish(folder, new() { ["work"] = "inner-step" });
    }

    public override IReadOnlyList<(string Name, double[] Values)> Result()
    {
        _optimizer.Reset();
        _theta.Span.Clear();
        _optimizer.Step(_theta, _gradient);
        return [("update", [.. _theta.Span.ToArray().Select(x => (double)x)])];
    }

    protected override double Run()
    {
        var start = Stopwatch.GetTimestamp();
        _optimizer.Step(_theta, _gradient);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public override void Dispose()
    {
        _optimizer.Dispose();
        _arena.Dispose();
    }
}
