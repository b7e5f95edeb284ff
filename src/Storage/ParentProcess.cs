namespace MetaOpt.Storage;

/// <summary>Ties a service to the process that started it, so that a supervisor that is killed leaves nobody behind.</summary>
public static class ParentProcess
{
    /// <summary>
    /// When <c>METAOPT_STOP_AT_END_OF_INPUT</c> is set, standard input is a pipe that the starter holds: it ends when the
    /// starter does, however that happens, and then <paramref name="stop"/> is called. Otherwise does nothing.
    /// </summary>
    public static void OnEnd(Action stop)
    {
        if (Environment.GetEnvironmentVariable("METAOPT_STOP_AT_END_OF_INPUT") is not "1")
            return;
        var input = Console.OpenStandardInput();
        new Thread(() =>
        {
            var bytes = new byte[256];
            while (input.Read(bytes) > 0)
            {
            }
            stop();
        })
        { IsBackground = true, Name = "end of input" }.Start();
    }
}
