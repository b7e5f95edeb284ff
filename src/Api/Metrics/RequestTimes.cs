using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace MetaOpt.Api.Metrics;

/// <summary>How long requests took, by method, route and status: a histogram of what ASP.NET Core measures itself.</summary>
sealed class RequestTimes : IDisposable
{
    static readonly double[] s_bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    readonly Lock _lock = new();
    readonly SortedDictionary<(string Route, string Method, string Status), (long[] Counts, double Sum)> _times = [];
    readonly MeterListener _listener = new();

    public RequestTimes()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: "Microsoft.AspNetCore.Hosting", Name: "http.server.request.duration" })
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((_, seconds, tags, _) => Add(seconds, tags));
        _listener.Start();
    }

    void Add(double seconds, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        // Routes, not addresses: their number is bounded.
        var (route, method, status) = ("other", "", "");
        foreach (var (name, value) in tags)
            if (name == "http.route") route = value?.ToString() ?? route;
            else if (name == "http.request.method") method = value?.ToString() ?? method;
            else if (name == "http.response.status_code") status = value?.ToString() ?? status;
        var bucket = Array.FindIndex(s_bounds, bound => seconds <= bound);
        lock (_lock)
        {
            var (counts, sum) = _times.TryGetValue((route, method, status), out var known)
                ? known
                : (new long[s_bounds.Length + 1], 0);
            counts[bucket < 0 ? s_bounds.Length : bucket]++;
            _times[(route, method, status)] = (counts, sum + seconds);
        }
    }

    /// <summary>Appends the histogram in Prometheus' text format.</summary>
    public void Write(StringBuilder text)
    {
        text.Append(
            "# HELP http_server_request_duration_seconds Time of requests.\n# TYPE http_server_request_duration_seconds "
            + "histogram\n");
        lock (_lock)
            foreach (var ((route, method, status), (counts, sum)) in _times)
            {
                var labels = $"route=\"{MetricsApi.Escape(route)}\",method=\"{MetricsApi.Escape(method)}\",status=\"{status}\"";
                var total = 0L;
                for (var i = 0; i < counts.Length; i++)
                {
                    total += counts[i];
                    var bound = i < s_bounds.Length ? s_bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                    text.Append(CultureInfo.InvariantCulture,
                        $"http_server_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {total}\n");
                }
                text.Append(CultureInfo.InvariantCulture, $"http_server_request_duration_seconds_sum{{{labels}}} {sum}\n");
                text.Append(CultureInfo.InvariantCulture, $"http_server_request_duration_seconds_count{{{labels}}} {total}\n");
            }
    }

    public void Dispose() => _listener.Dispose();
}
