using MetaOpt.Compute;
using MetaOpt.Learned;
using MetaOpt.Optimizers;
using MetaOpt.Tasks;
using MetaOpt.Unrolling;

namespace MetaOpt.Domain.Tests.Unrolling;

/// <summary>The one loop of theta, loss, gradient and update.</summary>
public class InnerLoopTests
{
    const int Batch = 2, Steps = 6;

    /// <summary>f(x) = (1 + instance) (x - step)^2 on one coordinate, from x = 0; counts its evaluations.</summary>
    sealed class Parabolas : ITaskInstances<double>
    {
        public List<int> Evaluated { get; } = [];

        public int Count => Batch;

        public void Draw(ulong seed, Split split, int first) { }

        public void InitialTheta(Tensor<double> theta) => theta.Clear();

        public Tensor<double> Loss(Tape<double> tape, Tensor<double> theta, int step)
        {
            Evaluated.Add(step);
            var factors = tape.Constant([1, 2], new Shape(Batch, 1));
            return tape.Reshape(tape.Multiply(factors, tape.Square(tape.AddScalar(theta, -step))), new Shape(Batch));
        }

        public void Dispose() { }
    }

    sealed class Descent : IUpdate<double>
    {
        public void Step(Tensor<double> theta, Tensor<double> gradient)
        {
            for (var i = 0; i < theta.Count; i++) theta.Span[i] -= 0.1 * gradient.Span[i];
        }
    }

    sealed class Diary : IInnerObserver<double>
    {
        public List<(int T, double Theta, double Loss, double Gradient)> Second { get; } = [];

        public void Observe(int t, Tensor<double> theta, Tensor<double> losses, Tensor<double> gradient) =>
            Second.Add((t, theta.Span[1], losses.Span[1], gradient.Span[1]));
    }

    [Fact]
    public void An_observer_sees_theta_loss_and_gradient_before_each_update()
    {
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        using var arena = new Arena<double>();
        using var parabolas = new Parabolas();
        var loop = new InnerLoop<double>(parabolas, tape, arena.Zeros(new Shape(Batch, 1)));
        var diary = new Diary();
        loop.Begin();
        loop.Run(new Descent(), 3, Steps, diary);
        var x = 0.0;
        for (var t = 0; t < Steps; t++)
        {
            Assert.Equal((t, x, 2 * (x - t - 3) * (x - t - 3), 4 * (x - t - 3)), diary.Second[t]);
            x -= 0.1 * diary.Second[t].Gradient;
        }
        Assert.Equal(2 * (x - 3 - Steps) * (x - 3 - Steps), loop.Loss(3 + Steps).Span[1]);
        Assert.Equal(x, loop.Theta.Span[1]);
    }

    /// <summary>
    /// The last gradient of an unroll is the first of the next; a new start, and a theta from elsewhere, have their own.
    /// </summary>
    [Fact]
    public void A_theta_is_evaluated_once()
    {
        using var kernels = new ScalarKernels<double>();
        using var tape = new Tape<double>(kernels);
        using var arena = new Arena<double>();
        using var parabolas = new Parabolas();
        var loop = new InnerLoop<double>(parabolas, tape, arena.Zeros(new Shape(Batch, 1)));
        loop.Begin();
        loop.Run(new Descent(), 0, 2);
        loop.Evaluate(2);
        loop.Run(new Descent(), 2, 2);
        loop.Evaluate(4);
        loop.Begin();
        loop.Evaluate(0);
        loop.Theta = arena.Zeros(new Shape(Batch, 1));
        loop.Evaluate(7);
        Assert.Equal([0, 1, 2, 3, 4, 0, 7], parabolas.Evaluated);
    }

    [Fact]
    public void A_step_allocates_nothing_once_it_is_warm()
    {
        var rule = new CoordinatewiseLstm(new CoordinatewiseLstm.Options { Layers = [4] });
        var task = new QuadraticTask(new QuadraticTask.Options { Dimensions = 3 });
        using var kernels = KernelSets.Create("simd", 1);
        using var tape = new Tape<float>(kernels);
        using var arena = kernels.NewArena();
        using var instances = task.Allocate(kernels, 5);
        using var state = rule.Start(kernels, new Layout(5, task.Parameters));
        state.SetParameters(new float[rule.MetaParameters.Sum(p => p.Shape.Count)]);
        instances.Draw(1, Split.Train, 0);
        var loop = new InnerLoop<float>(instances, tape, arena.Zeros(new Shape(5, 3)));
        loop.Begin();
        // The compiler may allocate now and then; a step that does, does so every time.
        Assert.Contains(0, Enumerable.Range(0, 5).Select(_ => AllocatedByTwenty()));

        long AllocatedByTwenty()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            loop.Run(state, 0, 20);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }
}
