using System.CommandLine;
using System.Text.Json.Nodes;
using MetaOpt.Compute;
using MetaOpt.Optimizers;

namespace MetaOpt.Bench;

/// <summary>
/// <c>kernels</c>: what the kernels reach next to the machine's own limit, measured by turns in the same run: GFLOP/s of the
/// fused LSTM operations (matrix products only are counted) and of the MNIST network's products against multiply-adds in
/// registers; GB/s of elementwise maps and optimizers against a pass over memory with the same reads and writes.
/// </summary>
static class KernelsBench
{
    const int Steps = 20;
    const int LargeCount = 10_000_000;

    /// <summary>The command line.</summary>
    public static Command Create()
    {
        var threads = BenchCommand.Threads();
        var coordinates = BenchCommand.Number("--coordinates", "Coordinates of the LSTM operations.", 15_910, 1, 10_000_000);
        return BenchCommand.Subcommand("kernels", "Kernels next to the machine's own peak of the same run.", 0.5,
            (arguments, bench) => Measure(bench, arguments.GetValue(threads), arguments.GetValue(coordinates)),
            threads, coordinates);
    }

    /// <summary>Something to measure, and what of the machine bounds it.</summary>
    /// <param name="Name">For the table.</param>
    /// <param name="Amount">Operations or bytes of one call.</param>
    /// <param name="StreamArrays">0: operations; else bytes: a pass over memory that writes so many arrays is the peak.</param>
    /// <param name="Run">One call on a kernel set: 0, one thread; 1, all.</param>
    sealed record Kernel(string Name, double Amount, int StreamArrays, Action<int> Run);

    static void Measure(Bench bench, int threads, int coordinates)
    {
        var table = new Table("Kernels (medians; peak measured by turns with each kernel)",
            new("kernel", "case"),
            new("GFLOP/s 1 thread", "gflopsOne", "F1"), new($"on {threads}", "gflopsAll", "F1"),
            new("GB/s 1 thread", "gigabytesOne", "F1"), new($"on {threads}", "gigabytesAll", "F1"),
            new("of peak, 1 thread", "shareOne"), new($"of peak, {threads}", "shareAll"),
            new("speed-up", "speedUp"), new("of the peak's own", "speedUpShare"));
        IKernels<float>[] sets = [KernelSets.Create("auto", 1), KernelSets.Create("auto", threads)];
        try
        {
            using var room = new Room(sets, coordinates);
            foreach (var kernel in room.Kernels())
            {
                bench.Log.WriteLine(kernel.Name + " ...");
                table.Add(Compare(bench.Seconds, kernel, sets, room));
            }
        }
        finally
        {
            foreach (var set in sets) set.Dispose();
        }
        table.Note($"LSTM [20, 20] on {coordinates:N0} coordinates. The backward pass counts replayed products, "
            + $"input adjoints and weight gradients of {Steps} steps.");
        table.Note("GB/s counts what the algorithm reads and writes. Shares and speed-ups are medians of each round's ratios.");
        table.Finish(bench);
    }

    static JsonObject Compare(double seconds, Kernel kernel, IKernels<float>[] sets, Room room)
    {
        var times = Timing.Interleave(
            seconds, () => room.Peak(kernel, 0), () => kernel.Run(0), () => room.Peak(kernel, 1), () => kernel.Run(1));
        var peak = kernel.StreamArrays == 0
            ? Loops.MultiplyAddFlops(sets[0])
            : (double)LargeCount * Loops.StreamBytes(kernel.StreamArrays);
        var (own, peakOwn) = (Timing.MedianRatio(times[1], times[3]), Timing.MedianRatio(times[0], times[2]));
        var unit = kernel.StreamArrays == 0 ? "gflops" : "gigabytes";
        return new()
        {
            ["case"] = kernel.Name,
            [unit + "One"] = 1e-9 * kernel.Amount / Timing.Median(times[1]),
            [unit + "All"] = 1e-9 * kernel.Amount / Timing.Median(times[3]),
            ["shareOne"] = Timing.MedianRatio(times[0], times[1]) * kernel.Amount / peak,
            ["shareAll"] = Timing.MedianRatio(times[2], times[3]) * kernel.Amount / peak,
            ["speedUp"] = own,
            ["speedUpShare"] = own / peakOwn,
            ["threads"] = sets[1].Threads,
        };
    }

    /// <summary>The memory that the kernels work on.</summary>
    sealed class Room(IKernels<float>[] sets, int coordinates) : IDisposable
    {
        readonly Arena<float> _arena = sets[0].NewArena();
        readonly List<IDisposable> _states = [];
        uint _drawn;
        Tensor<float>[]? _large;
        Tensor<float>? _sink;

        /// <summary>One call of the loop that bounds <paramref name="kernel"/>.</summary>
        public void Peak(Kernel kernel, int set)
        {
            if (kernel.StreamArrays > 0) Loops.Stream(sets[set], Large[..kernel.StreamArrays], Large[3]);
            else Loops.MultiplyAdd(sets[set], _sink ??= _arena.Zeros(new Shape(64)));
        }

        /// <summary>Arrays that no cache holds; made when they are first needed.</summary>
        Tensor<float>[] Large => _large ??= MakeLarge();

        Tensor<float>[] MakeLarge()
        {
            Tensor<float>[] arrays = [.. Enumerable.Range(0, 4).Select(_ => _arena.Zeros(new Shape(LargeCount)))];
            // The last is only read. Each pass halves the others and adds it, so that no map drives them into subnormal
            // numbers, which are slow.
            arrays[3].Span.Fill(0.5f);
            return arrays;
        }

        public IEnumerable<Kernel> Kernels() => [.. Lstm(), .. Products(), .. Maps(), .. Optimizers()];

        Tensor<float> Normal(Shape shape, double deviation = 1)
        {
            var tensor = _arena.Take(shape);
            new RandomStream(1, Split.Train, Purpose.Instance, _drawn++).FillNormal(tensor.Span, deviation);
            return tensor;
        }

        IEnumerable<Kernel> Lstm()
        {
            var shape = Workload.RuleShape;
            var packed = _arena.Take(new Shape(shape.PackedElements));
            sets[0].LstmPack(shape, Workload.Phi(), packed);
            var gradients = Normal(new Shape(Steps + 1, coordinates), 0.01);
            var gradient = gradients.Range(0, coordinates);
            var size = new Shape(shape.StateElements(coordinates));
            var (state, start) = (_arena.Zeros(size), _arena.Zeros(size));
            var theta = _arena.Zeros(new Shape(coordinates));
            var weights = _arena.Take(new Shape(Steps));
            weights.Span.Fill(1);
            var phiGradient = new double[shape.MetaParameterCount];
            var (forward, backward) = (2.0 * shape.ForwardProducts, 2.0 * shape.BackwardProducts);
            yield return new("LSTM forward step", forward * coordinates, 0,
                s => sets[s].LstmStep(shape, packed, gradient, state, theta));
            yield return new("LSTM backward through time", backward * coordinates * Steps, 0,
                s => sets[s].LstmBackward(shape, packed, Unrolled<float>.Of(gradients, weights, theta, start), phiGradient));
        }

        /// <summary>Every product that a step of the 784-20-10 network on 128 images has.</summary>
        IEnumerable<Kernel> Products()
        {
            const int batch = 128, pixels = 784, hidden = 20, classes = 10;
            return
            [
                Product("images x weights", new(batch, pixels), false, new(pixels, hidden), false, new(batch, hidden)),
                Product("hidden x weights", new(batch, hidden), false, new(hidden, classes), false, new(batch, classes)),
                Product("images' x adjoints", new(batch, pixels), true, new(batch, hidden), false, new(pixels, hidden)),
                Product("hidden' x adjoints", new(batch, hidden), true, new(batch, classes), false, new(hidden, classes)),
                Product("adjoints x weights'", new(batch, classes), false, new(hidden, classes), true, new(batch, hidden)),
            ];
        }

        Kernel Product(string name, Shape x, bool transposeX, Shape y, bool transposeY, Shape z)
        {
            var (left, right, result) = (Normal(x), Normal(y), _arena.Zeros(z));
            var flops = 2.0 * z.Count * (transposeX ? x.D0 : x.D1);
            return new($"{name}: {z.D0} x {(transposeX ? x.D0 : x.D1)} x {z.D1}", flops, 0,
                s => sets[s].MatMul(left, transposeX, right, transposeY, result));
        }

        IEnumerable<Kernel> Maps()
        {
            foreach (var op in new[] { MapOp.Scale, MapOp.Sigmoid, MapOp.Tanh })
                yield return new($"map {op}, in place, 10^7", 8.0 * LargeCount, 1,
                    s => sets[s].Map(op, Large[0], 0.5f, 0, Large[0]));
            yield return new("zip Add, in place, 10^7", 12.0 * LargeCount, 1,
                s => sets[s].Zip(ZipOp.Add, Large[0], Large[3], Large[0]));
        }

        IEnumerable<Kernel> Optimizers() =>
        [
            Optimizer("RMSprop, 10^7", new RmsProp.Options { LearningRate = 1e-3 }.Create(), 2),
            Optimizer("Adam, 10^7", new Adam.Options { LearningRate = 1e-3 }.Create(), 3),
        ];

        Kernel Optimizer(string name, IOptimizer optimizer, int writes)
        {
            IOptimizerState[]? states = null;
            return new(name, (double)LargeCount * Loops.StreamBytes(writes), writes,
                s => (states ??= Start())[s].Step(Large[0], Large[3]));

            IOptimizerState[] Start()
            {
                var started = Array.ConvertAll(sets, set => optimizer.Start(set, 1, LargeCount));
                _states.AddRange(started);
                return started;
            }
        }

        public void Dispose()
        {
            foreach (var state in _states) state.Dispose();
            _arena.Dispose();
        }
    }
}
