namespace MetaOpt.Compute;

/// <content>The derivative of each operation, itself made of operations.</content>
public sealed partial class Tape<T>
{
    static readonly T Half = T.CreateTruncating(0.5);
    static readonly T Two = T.CreateTruncating(2);

    /// <summary>Adds what the gradient <paramref name="g"/> at a node's value contributes to its sources.</summary>
    void Propagate(Node node, Tensor<T> g)
    {
        switch (node.Op)
        {
            case Op.Add or Op.Subtract or Op.Multiply or Op.Divide or Op.Select or Op.MatMul:
                PropagateToTwo(node, g);
                break;
            case Op.Slice when !Recording:
                AddToSlice(node, g);
                break;
            case Op.Reshape or Op.Transpose or Op.SumAxis or Op.Broadcast or Op.Slice or Op.Pad:
                Accumulate(node.X, Move(node, g));
                break;
            case >= Op.Im2Col:
                PropagateConvolution(node, g);
                break;
            case Op.Softmax:
                var weighted = Multiply(g, node.Value);
                var mean = Broadcast(SumAxis(weighted, 1), 1, g.Shape.D1);
                Accumulate(node.X, Subtract(weighted, Multiply(mean, node.Value)));
                break;
            case Op.CrossEntropy:
                var target = _arena.Take(node.X.Shape);
                Kernels.OneHot(node.Y, target);
                var error = Subtract(Softmax(node.X), target);
                Accumulate(node.X, Multiply(Broadcast(Reshape(g, new Shape(g.Count, 1)), 1, node.X.Shape.D1), error));
                break;
            default:
                Accumulate(node.X, Derive(node, g));
                break;
        }
    }

    /// <summary>
    /// Without a graph, gradients of slices are added where they belong: nothing of the source's size is made for each.
    /// </summary>
    void AddToSlice(in Node node, Tensor<T> g)
    {
        var (outer, size, inner) = node.X.Shape.Around(node.I);
        var sum = OwnAdjoint(node.X);
        var count = node.Value.Shape[node.I] * inner;
        for (var o = 0; o < outer; o++)
        {
            var part = sum.Range((o * size + node.J) * inner, count);
            Kernels.Zip(ZipOp.Add, part, g.Range(o * count, count), part);
        }
    }

    /// <summary>Operations with two sources.</summary>
    void PropagateToTwo(in Node node, Tensor<T> g)
    {
        var (x, y) = (node.X, node.Y);
        var (tx, ty) = (node.I == 1, node.J == 1);
        if (Needs(x))
        {
            Accumulate(x, node.Op switch
            {
                Op.Multiply => Multiply(g, y),
                Op.Divide => Divide(g, y),
                Op.Select => Where(node.Z, g, Zeros(g.Shape)),
                Op.MatMul => tx ? MatMul(y, g, ty, true) : MatMul(g, y, false, !ty),
                _ => g,
            });
        }
        if (Needs(y))
        {
            Accumulate(y, node.Op switch
            {
                Op.Subtract => Negate(g),
                Op.Multiply => Multiply(g, x),
                Op.Divide => Negate(Divide(Multiply(g, node.Value), y)),
                Op.Select => Where(node.Z, Zeros(g.Shape), g),
                Op.MatMul => ty ? MatMul(g, x, true, tx) : MatMul(x, g, !tx, false),
                _ => g,
            });
        }
    }

    /// <summary>Operations that only move elements: the gradient moves back.</summary>
    Tensor<T> Move(in Node node, Tensor<T> g) => node.Op switch
    {
        Op.Reshape => Reshape(g, node.X.Shape),
        Op.Transpose => Transpose(g),
        Op.SumAxis => Broadcast(g, node.I, node.X.Shape[node.I]),
        Op.Broadcast => SumAxis(g, node.I),
        Op.Slice => Pad(g, node.I, node.J, node.X.Shape[node.I]),
        _ => Slice(g, node.I, node.J, node.X.Shape[node.I]),
    };

    /// <summary>Elementwise functions y = f(x): g f'(x), with f' in terms of y where that is cheaper.</summary>
    Tensor<T> Derive(in Node node, Tensor<T> g)
    {
        var (x, y) = (node.X, node.Value);
        return node.Op switch
        {
            Op.Scale => Scale(g, node.A),
            Op.AddScalar => g,
            Op.Sigmoid => Multiply(g, Subtract(y, Square(y))),
            Op.Tanh => Subtract(g, Multiply(g, Square(y))),
            Op.Relu => Multiply(g, Constant(MapOp.Positive, y)),
            Op.Elu => Multiply(g, AddScalar(Minimum(y, T.Zero), T.One)),
            Op.Exp => Multiply(g, y),
            Op.Log => Divide(g, x),
            Op.Sqrt => Divide(Scale(g, Half), y),
            Op.SinPi => Scale(Multiply(g, CosPi(x)), T.Pi),
            Op.CosPi => Scale(Multiply(g, SinPi(x)), -T.Pi),
            Op.Square => Scale(Multiply(g, x), Two),
            Op.Abs => Multiply(g, Sign(x)),
            Op.Clamp => Multiply(g, Constant(MapOp.InRange, x, node.A, node.B)),
            _ => throw new InvalidOperationException($"{node.Op} has no derivative."),
        };
    }
}
