using System.Numerics;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>The mini-batches of labelled images of B instances, and the loss of those who classify them.</summary>
sealed class ImageBatches<T>(Dataset dataset, IKernels<T> kernels, int count, int batch)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    readonly int[] _rows = new int[count * batch];

    /// <summary>
    /// Images [B, batch, elements], scaled to 0..1, and labels [B batch] of inner step <paramref name="step"/>, drawn with
    /// replacement; on the tape's memory. Only the test split reads test images.
    /// </summary>
    public (Tensor<T> Images, Tensor<T> Labels) Draw(Tape<T> tape, in InstanceAddress address, int step)
    {
        var source = address.Split == Split.Test ? dataset.Test : dataset.Train;
        var labels = tape.Scratch(new Shape(_rows.Length));
        using var classes = labels.Write();
        for (var b = 0; b < count; b++)
        {
            var stream = address.Stream(Purpose.MiniBatch, b, step);
            for (var i = 0; i < batch; i++)
            {
                var row = stream.Index((uint)i, source.Count);
                _rows[b * batch + i] = row;
                classes.Span[b * batch + i] = T.CreateTruncating(source.Labels[row]);
            }
        }
        var images = tape.Scratch(new Shape(_rows.Length, dataset.ImageElements));
        kernels.GatherRows(source.Pixels, dataset.ImageElements, _rows, T.One / T.CreateTruncating(255), images);
        return (images.As(new Shape(count, batch, dataset.ImageElements)), labels);
    }

    /// <summary>
    /// The mean over each instance's mini-batch, [B], of the softmax cross-entropy of logits [B, batch, classes].
    /// </summary>
    public Tensor<T> MeanCrossEntropy(Tape<T> tape, Tensor<T> logits, Tensor<T> labels)
    {
        var losses = tape.SoftmaxCrossEntropy(tape.Reshape(logits, new Shape(count * batch, dataset.Classes)), labels);
        var sums = tape.SumAxis(tape.Reshape(losses, new Shape(count, batch)), 1);
        return tape.Scale(tape.Reshape(sums, new Shape(count)), T.One / T.CreateTruncating(batch));
    }
}

/// <summary>
/// Hands out the tensors of theta [B, P] in the order of <see cref="ITask.Parameters"/>, each for all instances.
/// </summary>
struct ThetaReader<T>(Tape<T> tape, Tensor<T> theta) where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    int _offset;

    /// <summary>[B, size].</summary>
    public Tensor<T> Next(int size)
    {
        var next = tape.Slice(theta, 1, _offset, size);
        _offset += size;
        return next;
    }

    /// <summary>[B, rows, columns].</summary>
    public Tensor<T> Next(int rows, int columns) => tape.Reshape(Next(rows * columns), new Shape(theta.Shape.D0, rows, columns));
}
