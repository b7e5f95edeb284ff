select step, value from series_points where series_id = @series and step between @from and @to order by step
