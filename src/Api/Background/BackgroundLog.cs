using Hangfire.AspNetCore;
using Hangfire.Logging;

namespace MetaOpt.Api.Background;

/// <summary>
/// Hangfire's log goes to the service's. Hangfire keeps one provider for a process: that of an ended host must not fail.
/// </summary>
sealed class BackgroundLog(ILoggerFactory loggers) : ILogProvider
{
    readonly AspNetCoreLogProvider _provider = new(loggers);

    public ILog GetLogger(string name)
    {
        try
        {
            return _provider.GetLogger(name);
        }
        catch (ObjectDisposedException)
        {
            return new Silence();
        }
    }

    sealed class Silence : ILog
    {
        public bool Log(Hangfire.Logging.LogLevel logLevel, Func<string>? messageFunc, Exception? exception = null) => false;
    }
}
