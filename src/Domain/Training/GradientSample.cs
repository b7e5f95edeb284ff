using System.Text.Json.Nodes;

namespace MetaOpt.Training;

/// <summary>Mean and variance of a stream of vectors, element by element, in one pass (Welford, 1962).</summary>
public sealed class GradientSample(int elements)
{
    double[] _mean = new double[elements];
    double[] _squares = new double[elements]; // sums of squared deviations

    /// <summary>How many vectors there were.</summary>
    public int Count { get; private set; }

    /// <summary>Their mean.</summary>
    public ReadOnlySpan<double> Mean => _mean;

    /// <summary>Trace of their covariance; 0 of fewer than two.</summary>
    public double Variance => Count < 2 ? 0 : _squares.Sum() / (Count - 1);

    /// <summary>Squared standard error of the mean: the trace of its covariance.</summary>
    public double MeanVariance => Count < 2 ? 0 : Variance / Count;

    /// <summary>One more.</summary>
    public void Add(ReadOnlySpan<double> vector)
    {
        Count++;
        for (var i = 0; i < _mean.Length; i++)
        {
            var delta = vector[i] - _mean[i];
            _mean[i] += delta / Count;
            _squares[i] += delta * (vector[i] - _mean[i]);
        }
    }

    /// <summary>For a resume point; doubles keep all their bits.</summary>
    public JsonObject Save() => new()
    {
        ["count"] = Count,
        ["mean"] = new JsonArray([.. _mean.Select(x => (JsonNode)BitConverter.DoubleToInt64Bits(x))]),
        ["squares"] = new JsonArray([.. _squares.Select(x => (JsonNode)BitConverter.DoubleToInt64Bits(x))]),
    };

    /// <summary>What <see cref="Save"/> saved.</summary>
    /// <exception cref="FormatException">It has more than <paramref name="most"/> estimates, or of another length.</exception>
    public void Load(JsonNode saved, int most)
    {
        var (count, mean, squares) = ((int)saved["count"]!, Doubles(saved["mean"]!), Doubles(saved["squares"]!));
        if (count < 0 || count > most || mean.Length != _mean.Length || squares.Length != _squares.Length)
            throw new FormatException($"A sample has {count} estimates of {mean.Length} numbers; it must have 0 to {most} of {_mean.Length}.");
        (Count, _mean, _squares) = (count, mean, squares);

        static double[] Doubles(JsonNode bits) => [.. bits.AsArray().Select(b => BitConverter.Int64BitsToDouble((long)b!))];
    }
}
