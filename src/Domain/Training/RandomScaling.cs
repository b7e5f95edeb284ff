using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Training;

/// <summary>
/// f(c x) instead of f(theta), with a factor c = exp(U(-s, s)) for every coordinate of every instance, from x_0 = theta_0 / c
/// (Lv, Jiang and Li, 2017, arXiv:1703.03633, section 4.1): the learned optimizer meets gradients of all scales and cannot rely
/// on one.
/// </summary>
/// <param name="task">The task.</param>
/// <param name="exponent">s.</param>
public sealed class RandomScaling(ITask task, double exponent) : ITask
{
    /// <inheritdoc/>
    public IReadOnlyList<ParameterTensor> Parameters => task.Parameters;

    /// <inheritdoc/>
    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(task.Allocate(kernels, count), kernels, task.Coordinates, exponent);

    sealed class Instances<T>(ITaskInstances<T> inner, IKernels<T> kernels, int coordinates, double exponent) : ITaskInstances<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        readonly Arena<T> _arena = kernels.NewArena();
        Tensor<T> _factors; // [B, P]

        public int Count => inner.Count;

        public void Draw(ulong seed, Split split, int first)
        {
            inner.Draw(seed, split, first);
            _arena.Reset();
            _factors = _arena.Take(new Shape(Count, coordinates));
            var address = new InstanceAddress(seed, split, first);
            using var factors = _factors.Write();
            for (var b = 0; b < Count; b++)
                address.Stream(Purpose.Perturbation, b).FillUniform(factors.Row(b), -exponent, exponent);
            foreach (ref var factor in factors.Span) factor = T.Exp(factor);
        }

        public void InitialTheta(Tensor<T> theta)
        {
            inner.InitialTheta(theta);
            using var thetas = theta.Edit();
            using var factors = _factors.Read();
            for (var i = 0; i < theta.Count; i++) thetas.Span[i] /= factors.Span[i];
        }

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step) => inner.Loss(tape, tape.Multiply(theta, _factors), step);

        public void Dispose()
        {
            inner.Dispose();
            _arena.Dispose();
        }
    }
}
