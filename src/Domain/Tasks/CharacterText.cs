using System.Text;
using MetaOpt.Compute;

namespace MetaOpt.Tasks;

/// <summary>
/// Text for <see cref="CharacterModelTask"/>, as numbers of characters in a small alphabet. It comes as a <see cref="Dataset"/>
/// of 1 x 1 images: label i is the number of character i, pixel i its ASCII code.
/// </summary>
public static class CharacterText
{
    /// <summary>Characters of a text.</summary>
    public const int Least = 10_000, Most = 16 << 20;

    const string Alphabet = " abcdefghijklmnopqrstuvwxyz.,'0*";
    const int GrammarTrain = 200_000, GrammarTest = 40_000;
    static readonly Lazy<Dataset> s_grammar =
        new(() => Dataset("grammar", Generate(0, GrammarTrain), Generate(1, GrammarTest), "generated"));

    /// <summary>V, the size of the alphabet.</summary>
    public static int Characters => Alphabet.Length;

    /// <summary>
    /// A generated text, the same for everybody: sentences of a small context-free grammar of English in which verbs agree with
    /// their subjects across relative clauses. Its two parts are drawn independently.
    /// </summary>
    public static Dataset Grammar => s_grammar.Value;

    /// <summary>
    /// The text in <paramref name="utf8"/>: letters in lower case, every digit as 0, any run of white space as one space,
    /// full stop, comma and apostrophe as they are, everything else as *. The last tenth is the test part.
    /// </summary>
    /// <param name="name">Of the dataset.</param>
    /// <param name="utf8">What a file holds; bytes that are not UTF-8 count as something else.</param>
    /// <param name="sha256">Of the file.</param>
    /// <exception cref="FormatException">It has too few or too many characters.</exception>
    public static Dataset Read(string name, ReadOnlySpan<byte> utf8, string sha256)
    {
        var text = new StringBuilder();
        foreach (var rune in Encoding.UTF8.GetString(utf8).EnumerateRunes())
        {
            var character = Rune.IsWhiteSpace(rune) ? ' ' : Rune.IsDigit(rune) ? '0' : Known(Rune.ToLowerInvariant(rune).Value);
            if (character != ' ' || (text.Length > 0 && text[^1] != ' ')) text.Append(character);
        }
        if (text.Length is < Least or > Most)
            throw new FormatException($"The text has {text.Length} characters; give {Least} to {Most}.");
        var train = text.Length - text.Length / 10;
        var all = text.ToString();
        return Dataset(name, all[..train], all[train..], sha256);

        static char Known(int value) => value < 128 && Alphabet.Contains((char)value) ? (char)value : '*';
    }

    static Dataset Dataset(string name, string train, string test, string sha256) =>
        new(name, 1, 1, Characters, Part(train), Part(test), sha256);

    static LabelledImages Part(string text) =>
        new(Encoding.ASCII.GetBytes(text), [.. text.Select(c => (byte)Alphabet.IndexOf(c))]);

    static string Generate(uint part, int length)
    {
        var sentences = new Sentences(new RandomStream(1957, Split.Train, Purpose.Instance, part));
        while (sentences.Text.Length < length) sentences.Add();
        return sentences.Text.ToString(0, length);
    }

    /// <summary>Draws sentences; rules are methods.</summary>
    sealed class Sentences(RandomStream stream)
    {
        const int Deepest = 2;

        static readonly string[] s_nouns = ["cat", "dog", "farmer", "teacher", "river", "garden", "ship", "child", "stone",
            "letter", "song", "house"];
        static readonly string[] s_adjectives = ["old", "small", "green", "quiet", "strange", "happy", "cold", "bright"];
        static readonly string[] s_transitive = ["see", "follow", "like", "find", "forget", "paint", "know", "hear"];
        static readonly string[] s_intransitive = ["sleep", "sing", "wait", "fall", "run", "dream"];
        static readonly string[] s_adverbs = ["slowly", "often", "at night", "in the rain", "near the sea", "again"];

        uint _drawn;

        public StringBuilder Text { get; } = new();

        public void Add()
        {
            Clause(0);
            if (OneIn(4))
            {
                Text.Append(Choose([", and", ", but"])).Append(' ');
                Clause(0);
            }
            Text.Append(". ");
        }

        void Clause(int depth)
        {
            var plural = NounPhrase(depth);
            Text.Append(' ');
            VerbPhrase(depth, plural);
        }

        /// <summary>Returns whether it is plural.</summary>
        bool NounPhrase(int depth)
        {
            var plural = OneIn(2);
            Text.Append(plural ? Choose(["the", "some", "two", "many"]) : Choose(["the", "a", "one", "every"])).Append(' ');
            if (OneIn(3)) Text.Append(Choose(s_adjectives)).Append(' ');
            var noun = Choose(s_nouns);
            Text.Append(!plural ? noun : noun == "child" ? "children" : noun + "s");
            if (depth >= Deepest || !OneIn(4)) return plural;
            Text.Append(" that ");
            if (OneIn(2))
                VerbPhrase(depth + 1, plural);
            else
            {
                var subject = NounPhrase(depth + 1);
                Text.Append(' ').Append(Verb(s_transitive, subject));
            }
            return plural;
        }

        void VerbPhrase(int depth, bool plural)
        {
            if (OneIn(3))
                Text.Append(Verb(s_intransitive, plural));
            else
            {
                Text.Append(Verb(s_transitive, plural)).Append(' ');
                NounPhrase(depth + 1);
            }
            if (OneIn(4)) Text.Append(' ').Append(Choose(s_adverbs));
        }

        string Verb(string[] verbs, bool plural) => Choose(verbs) + (plural ? "" : "s");

        bool OneIn(int count) => stream.Index(_drawn++, count) == 0;

        string Choose(string[] words) => words[stream.Index(_drawn++, words.Length)];
    }
}
