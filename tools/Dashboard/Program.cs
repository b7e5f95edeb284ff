using MetaOpt.Dashboard;

// The program behind ./metaopt bench dashboard and ./metaopt screenshots; both explain themselves in their files.
try
{
    return args switch
    {
        ["bench", .. var rest] => await LoadBench.RunAsync(rest),
        ["screenshots", .. var rest] => await Screenshots.RunAsync(rest),
        _ => throw new ArgumentException(
            "Usage: ./metaopt bench dashboard [--runs N] [--points N] | ./metaopt screenshots [FOLDER]"),
    };
}
catch (ArgumentException wrong)
{
    Console.Error.WriteLine(wrong.Message);
    return 2;
}
