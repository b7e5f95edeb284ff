drop view queue_order;
drop view fair_share;
drop function slot_weight(text);
drop function decayed(float8, timestamptz);
drop function runs_notify() cascade;
drop function runs_version() cascade;
drop function runs_settle() cascade;
drop function audit_refuse() cascade;
