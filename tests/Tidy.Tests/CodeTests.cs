using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace MetaOpt.Tidy.Tests;

/// <summary>Limits that keep code easy to read: of lines, functions, files and names.</summary>
public partial class CodeTests
{
    const int LongestLine = 130, LongestFunction = 70, LongestFile = 500, LongestTestName = 80;

    static readonly string[] s_code = [".cs", ".js", ".css", ".sql", ".sh", ".py"];

    /// <summary>Texts in quotes count as empty: a message or a document in a test may be as long as it is.</summary>
    [Fact]
    public void No_line_of_code_is_longer_than_130_characters()
    {
        var wrong = new List<string>();
        foreach (var file in Checkout.Files(s_code))
        {
            var raw = false;
            foreach (var (line, number) in Checkout.Read(file).Split('\n').Select((l, i) => (l, i + 1)))
            {
                var inside = raw;
                raw ^= Regex.Count(line, "\"\"\"") % 2 == 1;
                if (!inside && !raw && Quoted().Replace(line, "\"\"").Length > LongestLine
                    && !line.Contains("\"\"\"", StringComparison.Ordinal))
                    wrong.Add($"{file}:{number}");
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void No_file_of_code_is_longer_than_500_lines()
    {
        Assert.DoesNotContain(Checkout.Files(s_code), f => Checkout.Read(f).Count(c => c == '\n') > LongestFile);
    }

    [Fact]
    public void No_function_is_longer_than_70_lines()
    {
        var wrong =
            from file in Checkout.Files(".cs")
            from node in CSharpSyntaxTree.ParseText(Checkout.Read(file)).GetRoot().DescendantNodes()
            where node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax
            let lines = node.GetLocation().GetLineSpan()
            let length = lines.EndLinePosition.Line - lines.StartLinePosition.Line + 1
            where length > LongestFunction
            select $"{file}:{lines.StartLinePosition.Line + 1} has {length} lines";
        Assert.Empty(wrong);
    }

    [Fact]
    public void Names_of_tests_are_shorter_than_80_characters()
    {
        var wrong =
            from file in Checkout.Files(".cs")
            where file.StartsWith("tests/", StringComparison.Ordinal)
            from method in CSharpSyntaxTree.ParseText(Checkout.Read(file)).GetRoot().DescendantNodes()
                .OfType<MethodDeclarationSyntax>()
            where method.AttributeLists.Count > 0 && method.Identifier.Text.Length >= LongestTestName
            select $"{file}: {method.Identifier.Text}";
        Assert.Empty(wrong);
    }

    /// <summary>A summary names the thing: a noun phrase for a type, a verb for a method.</summary>
    [Fact]
    public void Summaries_name_the_thing()
    {
        var wrong =
            from file in Checkout.Files(".cs")
            where file.StartsWith("src/", StringComparison.Ordinal)
            from Match match in Vague().Matches(Checkout.Read(file))
            select $"{file}: {match.Value}";
        Assert.Empty(wrong);
    }

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|'(?:[^'\\\\]|\\\\.)*'")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"<summary>\s*(?:///\s*)?(?:What|Who|Whoever|Those|So many)\b[^\n]*")]
    private static partial Regex Vague();
}
