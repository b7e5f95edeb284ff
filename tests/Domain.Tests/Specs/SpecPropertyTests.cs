using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;

namespace MetaOpt.Domain.Tests.Specs;

/// <summary>Whatever a client sends: valid specifications survive, all others are the client's error.</summary>
public class SpecPropertyTests
{
    static void ForEachSeed(int tests, Func<int, bool> holds) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(tests),
            Prop.ForAll(ArbMap.Default.ArbFor<int>().Generator.Select(i => i * 7919).ToArbitrary(), holds));

    static bool SpansFields(SpecError error) =>
        error.Pointer is "/training/unroll" or "/unroll" or "/training/secondDerivatives" or "/tuning/fromExponent"
        || error.Pointer.StartsWith("/training/curriculum", StringComparison.Ordinal)
        || error.Pointer.StartsWith("/training/imitation/teacher", StringComparison.Ordinal)
        || error.Pointer.Contains("/labels", StringComparison.Ordinal)
        || error.Pointer.Contains("/groups/", StringComparison.Ordinal)
        || error.Pointer.EndsWith("/network", StringComparison.Ordinal)
        || error.Pointer.EndsWith("/pooling", StringComparison.Ordinal)
        || error.Pointer is "/keptInstances" or "/training/metaEpochs" or "/training/metaBatch"
        || error.Detail.Contains("exactly one of", StringComparison.Ordinal)
        || error.Detail.Contains("is made for at most", StringComparison.Ordinal)
        || error.Detail.Contains("cannot be differentiated again", StringComparison.Ordinal);

    [Fact]
    public void Whatever_is_in_range_is_read_and_survives_a_round_trip()
    {
        var accepted = 0;
        ForEachSeed(600, seed =>
        {
            var random = new RandomSpecs(seed);
            var kind = random.Kind();
            var given = random.Valid(kind);
            try
            {
                var spec = Catalog.RunKinds.Read(kind, Element(given.ToJsonString()));
                var written = SpecReader.Write(spec);
                var again = SpecReader.Write(Catalog.RunKinds.Read(kind, Element(written.ToJsonString())));
                Assert.Equal(written.ToJsonString(), again.ToJsonString());
                AssertContains(written, given, "");
                accepted++;
                return true;
            }
            catch (SpecException error) when (error.Errors.All(SpansFields))
            {
                return true;
            }
        });
        Assert.True(accepted > 100, $"only {accepted} of the random specifications were valid");
    }

    [Fact]
    public void Whatever_is_sent_is_read_or_refused_with_reasons_and_nothing_else()
    {
        var refused = 0;
        ForEachSeed(3000, seed =>
        {
            var random = new RandomSpecs(seed);
            var kind = random.Kind();
            if (Parse(random.Wild(kind)) is not { } json) return true;
            try
            {
                Catalog.RunKinds.Read(kind, json).PredictCost();
            }
            catch (SpecException error)
            {
                refused++;
                return error.Errors.Count > 0
                    && error.Errors.All(e => (e.Pointer is "" || e.Pointer[0] == '/') && e.Detail.Length is > 0 and < 2000);
            }
            return true;
        });
        Assert.True(refused > 1000, $"only {refused} refused");
    }

    /// <summary>Everything in <paramref name="part"/> is in <paramref name="whole"/>, numbers compared as doubles.</summary>
    static void AssertContains(JsonNode? whole, JsonNode? part, string at)
    {
        switch (part)
        {
            case JsonObject fields:
                foreach (var (name, value) in fields) AssertContains(whole!.AsObject()[name], value, $"{at}/{name}");
                break;
            case JsonArray entries:
                Assert.Equal(entries.Count, whole!.AsArray().Count);
                for (var i = 0; i < entries.Count; i++) AssertContains(whole[i], entries[i], $"{at}/{i}");
                break;
            case null:
                Assert.True(whole is null, at);
                break;
            default:
                var (expected, actual) = (part.ToJsonString(), whole!.ToJsonString());
                if (part.GetValueKind() == JsonValueKind.Number)
                    Assert.True(double.Parse(expected) == double.Parse(actual), $"{at}: {expected} became {actual}");
                else Assert.True(expected == actual, $"{at}: {expected} became {actual}");
                break;
        }
    }

    static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    static JsonElement? Parse(string json)
    {
        try
        {
            return Element(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
