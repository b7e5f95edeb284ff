using MetaOpt.Runs;

namespace MetaOpt.Training;

/// <summary>Mean and variance of a stream of vectors, element by element, in one pass (Welford, 1962).</summary>
public sealed class GradientSample(int elements)
{
    readonly double[] _mean = new double[elements];
    readonly double[] _squares = new double[elements]; // sums of squared deviations
    int _count;

    /// <summary>How many vectors there were.</summary>
    public int Count => _count;

    /// <summary>Their mean.</summary>
    public ReadOnlySpan<double> Mean => _mean;

    /// <summary>Trace of their covariance; 0 of fewer than two.</summary>
    public double Variance => Count < 2 ? 0 : _squares.Sum() / (Count - 1);

    /// <summary>Squared standard error of the mean: the trace of its covariance.</summary>
    public double MeanVariance => Count < 2 ? 0 : Variance / Count;

    /// <summary>One more.</summary>
    public void Add(ReadOnlySpan<double> vector)
    {
        _count++;
        for (var i = 0; i < _mean.Length; i++)
        {
            var delta = vector[i] - _mean[i];
            _mean[i] += delta / Count;
            _squares[i] += delta * (vector[i] - _mean[i]);
        }
    }

    /// <summary>Keeps all of it.</summary>
    /// <exception cref="FormatException">What was read has more than <paramref name="most"/> vectors, or of another
    /// length.</exception>
    public void Keep(Snapshot snapshot, int most)
    {
        snapshot.Keep("count", ref _count, 0, most);
        snapshot.Keep("mean", _mean);
        snapshot.Keep("squares", _squares);
    }
}
