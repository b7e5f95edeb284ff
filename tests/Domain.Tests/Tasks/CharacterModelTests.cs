using System.Security.Cryptography;
using System.Text;
using MetaOpt.Compute;
using MetaOpt.Tasks;

namespace MetaOpt.Domain.Tests.Tasks;

/// <summary>The recurrent networks against plain loops, and the texts they read.</summary>
public sealed class CharacterModelTests
{
    const int Step = 4, Instance = 2;
    const string GrammarStart = "many children that paint every cat see one house. two strange houses find many children.";
    const string GrammarHash = "d019f4a8da7be528993bb4e7fd15697793e22eb56c6866b9a67179d12fc83671";

    [Theory]
    [InlineData(RecurrentCell.Vanilla, Split.Train)]
    [InlineData(RecurrentCell.Vanilla, Split.Test)]
    [InlineData(RecurrentCell.Lstm, Split.Train)]
    public void The_loss_is_what_plain_loops_say(RecurrentCell cell, Split split)
    {
        var options = new CharacterModelTask.Options { Cell = cell, Units = 3, Length = 5, Batch = 4, InitialDeviation = 0.7 };
        var (task, text) = (new CharacterModelTask(options, CharacterText.Grammar), CharacterText.Grammar);
        using var kernels = new ScalarKernels<double>();
        using var instances = task.Allocate(kernels, 1);
        using var tape = new Tape<double>(kernels);
        instances.Draw(5, split, Instance);
        var theta = tape.Zeros(new Shape(1, ((ITask)task).Coordinates));
        instances.InitialTheta(theta);

        var labels = (split == Split.Test ? text.Test : text.Train).Labels;
        var stream = new RandomStream(5, split, Purpose.MiniBatch, Instance, Step);
        double sum = 0;
        for (uint i = 0; i < 4; i++)
            sum += Surprise(cell, theta.Span.ToArray(), labels.AsSpan(stream.Index(i, labels.Length - 5), 6));
        Assert.Equal(sum / 20, instances.Loss(tape, theta, Step).Span[0], 1e-12);
    }

    /// <summary>Of the characters after the first, given those before: three units, 32 characters.</summary>
    static double Surprise(RecurrentCell cell, double[] theta, ReadOnlySpan<byte> characters)
    {
        const int units = 3, alphabet = 32;
        var width = cell == RecurrentCell.Lstm ? 4 * units : units;
        var (recurrent, bias) = (alphabet * width, (alphabet + units) * width);
        var output = bias + width;
        var outputBias = output + units * alphabet;
        var (h, c, sum) = (new double[units], new double[units], 0.0);
        for (var t = 0; t + 1 < characters.Length; t++)
        {
            var gates = new double[width];
            for (var g = 0; g < width; g++)
            {
                gates[g] = theta[characters[t] * width + g] + theta[bias + g];
                for (var u = 0; u < units; u++) gates[g] += h[u] * theta[recurrent + u * width + g];
            }
            for (var u = 0; u < units; u++)
            {
                if (cell == RecurrentCell.Vanilla)
                    h[u] = Math.Tanh(gates[u]);
                else
                {
                    c[u] = Sigmoid(gates[units + u]) * c[u] + Sigmoid(gates[u]) * Math.Tanh(gates[2 * units + u]);
                    h[u] = Sigmoid(gates[3 * units + u]) * Math.Tanh(c[u]);
                }
            }
            double[] logits = [.. Enumerable.Range(0, alphabet)
                .Select(v => theta[outputBias + v] + h.Select((x, u) => x * theta[output + u * alphabet + v]).Sum())];
            sum += Math.Log(logits.Sum(Math.Exp)) - logits[characters[t + 1]];
        }
        return sum;

        static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
    }

    [Fact]
    public void The_grammar_gives_the_same_sentences_to_everybody()
    {
        var text = CharacterText.Grammar;
        Assert.Equal((200_000, 40_000, 32), (text.Train.Count, text.Test.Count, text.Classes));
        Assert.Equal(GrammarStart, Encoding.ASCII.GetString(text.Train.Pixels.AsSpan(0, GrammarStart.Length)));
        Assert.Equal(GrammarHash, Convert.ToHexStringLower(SHA256.HashData([.. text.Train.Pixels, .. text.Test.Pixels])));
        Assert.DoesNotContain((byte)31, text.Train.Labels);
        Assert.NotEqual(text.Train.Pixels[..500], text.Test.Pixels[..500]);
    }


    [Fact]
    public void A_text_is_folded_into_the_alphabet()
    {
        var filler = string.Concat(Enumerable.Repeat("lorem ipsum ", 1000));
        var text = CharacterText.Read("text", Encoding.UTF8.GetBytes("\n\tDon't  PANIC:\r\n42 Dr\u00e4nge. " + filler), "ab");
        Assert.Equal("don't panic* 00 dr*nge. lorem ipsum", Encoding.ASCII.GetString(text.Train.Pixels.AsSpan(0, 35)));
        Assert.Equal([4, 15, 14, 29, 20, 0], text.Train.Labels.Take(6));
        Assert.Equal((12_024, 1202, "ab"), (text.Train.Count + text.Test.Count, text.Test.Count, text.Sha256));
        Assert.Contains("11 characters",
            Assert.Throws<FormatException>(() => CharacterText.Read("text", "lorem ipsum"u8, "")).Message);
    }
}
