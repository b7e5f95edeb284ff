/** A run's document as the submission that makes the same run again. */
export const submissionOf = ({ kind, name, tags, pool, priority, spec }) => ({
  kind,
  name,
  ...(tags?.length ? { tags } : {}),
  ...(pool && pool !== 'cpu' ? { pool } : {}),
  ...(priority < 0 ? { priority } : {}),
  spec,
});
