using System.Numerics;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Training;

/// <summary>
/// f(x) = x^2, x0 = 1: the "simple" problem of the published code's tests (google-deepmind/learning-to-learn, problems.py).
/// </summary>
sealed class SquareTask : ITask
{
    public IReadOnlyList<ParameterTensor> Parameters { get; } = [new("x", new Shape(1))];

    public ITaskInstances<T> Allocate<T>(IKernels<T> kernels, int count) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        new Instances<T>(count);

    sealed class Instances<T>(int count) : ITaskInstances<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public int Count => count;

        public void Draw(ulong seed, Split split, int first) { }

        public void InitialTheta(Tensor<T> theta) => theta.Span.Fill(T.One);

        public Tensor<T> Loss(Tape<T> tape, Tensor<T> theta, int step) => tape.Reshape(tape.Square(theta), new Shape(count));

        public void Dispose() { }
    }
}
