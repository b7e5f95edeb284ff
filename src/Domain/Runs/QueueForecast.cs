namespace MetaOpt.Runs;

/// <summary>When waiting runs will start, if nothing else is submitted.</summary>
public static class QueueForecast
{
    /// <summary>
    /// Seconds from now until each waiting run starts: whoever is next takes the slot that is free first.
    /// </summary>
    /// <param name="slots">Slots of the pool.</param>
    /// <param name="running">Seconds that each running run still takes.</param>
    /// <param name="waiting">Seconds that each waiting run will take, in the order of the queue.</param>
    public static IReadOnlyList<double> Starts(int slots, IEnumerable<double> running, IEnumerable<double> waiting)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        var free = new PriorityQueue<double, double>();
        foreach (var left in running) free.Enqueue(left, left);
        while (free.Count < slots) free.Enqueue(0, 0);
        // More runs than slots: workers went away or had more slots. Nobody follows the first ones to end.
        var starts = new List<double>();
        for (var surplus = free.Count - slots; surplus > 0; surplus--) free.Dequeue();
        foreach (var takes in waiting)
        {
            var start = free.Dequeue();
            starts.Add(start);
            free.Enqueue(start + takes, start + takes);
        }
        return starts;
    }
}
