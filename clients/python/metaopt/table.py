"""A small table, for where pandas is not installed."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Sequence


class Table:
    """Rows with named columns: ``table["value"]`` is a column, ``table[0]`` and iteration give rows as dictionaries."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns: List[str] = list(columns)
        self.rows: List[List[Any]] = [list(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        return (dict(zip(self.columns, row)) for row in self.rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int):
            return dict(zip(self.columns, self.rows[key]))
        if key not in self.columns:
            raise KeyError(f"{key!r} is not a column; columns: {', '.join(self.columns)}.")
        at = self.columns.index(key)
        return [row[at] for row in self.rows]

    def __repr__(self) -> str:
        shown = [[f"{value:.6g}" if isinstance(value, float) else str(value) for value in row] for row in self.rows[:20]]
        widths = [max([len(name), *(len(row[i]) for row in shown)]) for i, name in enumerate(self.columns)]
        lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths)) for row in [self.columns, *shown]]
        if len(self.rows) > len(shown):
            lines.append(f"({len(self.rows)} rows)")
        return "\n".join(lines)


def tabulate(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Returns a pandas DataFrame of the rows' columns, or a :class:`Table` where pandas is not installed."""
    values = [[row.get(name) for name in columns] for row in rows]
    try:
        import pandas  # type: ignore[import]
    except ImportError:
        return Table(columns, values)
    return pandas.DataFrame(values, columns=list(columns))
