using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace MetaOpt.Workers.Supervision;

/// <summary>A GPU that a slot's runs compute on.</summary>
/// <param name="Name">Number or id, as CUDA_VISIBLE_DEVICES takes it.</param>
sealed record Device(string Name)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>MiB that nobody uses, as nvidia-smi has it; null when it is not there or says nothing of this device.</summary>
    public async Task<long?> FreeMemoryAsync(CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(s_patience);
        try
        {
            using var ask =
                Process.Start(new ProcessStartInfo("nvidia-smi",
                    ["--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", Name])
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                })!;
            try
            {
                var answer = await ask.StandardOutput.ReadToEndAsync(patience.Token);
                await ask.WaitForExitAsync(patience.Token);
                return ask.ExitCode == 0 && long.TryParse(answer.Trim(), CultureInfo.InvariantCulture, out var free)
                    ? free
                    : null;
            }
            finally
            {
                if (!ask.HasExited) ask.Kill();
            }
        }
        catch (Exception absent)
            when (absent is Win32Exception || absent is OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return null;
        }
    }
}
