-- Objects, and the log of their changes that watches read. See src/store/README.md for how the two
-- are written, and doc/decisions/object-text.md for why an object is kept as one text.

-- The last revision that was given out. Its row lock is the order of all writes: who holds it sees
-- every earlier write, and its own become visible before anybody else gets the next revision.
CREATE TABLE slipway.revision (
	is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
	n bigint NOT NULL
);
INSERT INTO slipway.revision (n) VALUES (0);

-- Watches from before this revision have missed rows of change_log.
CREATE TABLE slipway.compaction (
	is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
	revision bigint NOT NULL
);
INSERT INTO slipway.compaction (revision) VALUES (0);

CREATE TABLE slipway.object (
	kind text COLLATE "C" NOT NULL,
	namespace text COLLATE "C" NOT NULL, -- '' for kinds that have none
	name text COLLATE "C" NOT NULL,
	uid uuid NOT NULL,
	revision bigint NOT NULL, -- not indexed, so that an update can stay on its page
	labels jsonb, -- NULL: none
	body text NOT NULL, -- the JSON object without metadata.resourceVersion
	PRIMARY KEY (kind, namespace, name)
) WITH (fillfactor = 80, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE slipway.change_log (
	revision bigint PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now(),
	type "char" NOT NULL CHECK (type IN ('A', 'M', 'D')), -- added, modified, deleted
	kind text COLLATE "C" NOT NULL,
	namespace text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	uid uuid NOT NULL,
	old_labels jsonb, -- as they were before; NULL: none
	labels jsonb,
	body text NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);

-- One row a process that writes. seq counts its batches, and result is the answer to the last one:
-- a process whose session broke in a COMMIT reads here whether the batch is in.
CREATE TABLE slipway.committer (
	id uuid PRIMARY KEY,
	seq bigint NOT NULL,
	result bigint[],
	seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);

-- For people and for rules: objects with their parts as jsonb.
CREATE VIEW slipway.objects AS
	SELECT kind, namespace, name, uid, revision,
		(b #>> '{metadata,generation}')::bigint AS generation,
		(b #>> '{metadata,creationTimestamp}')::timestamptz AS created_at,
		(b #>> '{metadata,deletionTimestamp}')::timestamptz AS deleted_at,
		labels,
		b -> 'metadata' AS metadata,
		b - '{apiVersion,kind,metadata,status}'::text[] AS fields,
		b -> 'spec' AS spec,
		b -> 'status' AS status
	FROM (SELECT o.*, o.body::jsonb AS b FROM slipway.object o OFFSET 0) parsed;

-- Applies a batch of writes of many callers; one call is one transaction. Writes of one group (grp)
-- are done all or none; a group fails when one of its objects is no longer at its base revision (0:
-- must not be there). op: 'A' add, 'M' modify, 'D' delete, '=' only look at the base. Gives a
-- revision for each write, 0 for those of a failed group and for '='. No object may be in a batch
-- twice. seq must be the committer's next.
CREATE FUNCTION slipway.apply(
	p_committer uuid, p_seq bigint, p_grp bigint[], p_op text[], p_kind text[],
	p_namespace text[], p_name text[], p_base bigint[], p_uid text[], p_old_labels text[],
	p_labels text[], p_body text[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
	first bigint;
	failed bigint[];
	revisions bigint[];
BEGIN
	UPDATE slipway.revision SET n = n + cardinality(p_op)
		RETURNING n - cardinality(p_op) INTO first;

	-- from here on, each statement sees all earlier writes
	SELECT array_agg(DISTINCT w.grp) INTO failed
		FROM unnest(p_grp, p_kind, p_namespace, p_name, p_base)
			AS w (grp, kind, namespace, name, base)
		LEFT JOIN slipway.object o
			ON o.kind = w.kind AND o.namespace = w.namespace AND o.name = w.name
		WHERE coalesce(o.revision, 0) <> w.base;

	WITH w AS MATERIALIZED (
		SELECT *, first + ord AS revision,
			op <> '=' AND (failed IS NULL OR grp <> ALL (failed)) AS is_written
		FROM unnest(p_grp, p_op, p_kind, p_namespace, p_name, p_uid, p_old_labels, p_labels,
				p_body) WITH ORDINALITY
			AS u (grp, op, kind, namespace, name, uid, old_labels, labels, body, ord)
	), put AS (
		INSERT INTO slipway.object AS o
			(kind, namespace, name, uid, revision, labels, body)
		SELECT kind, namespace, name, uid::uuid, revision, labels::jsonb, body
		FROM w WHERE is_written AND op <> 'D'
		ON CONFLICT (kind, namespace, name) DO UPDATE
		SET uid = excluded.uid, revision = excluded.revision, labels = excluded.labels,
			body = excluded.body
	), del AS (
		DELETE FROM slipway.object o USING w
		WHERE w.is_written AND w.op = 'D' AND o.kind = w.kind
			AND o.namespace = w.namespace AND o.name = w.name
	), log AS (
		INSERT INTO slipway.change_log
			(revision, type, kind, namespace, name, uid, old_labels, labels, body)
		SELECT revision, op::"char", kind, namespace, name, uid::uuid, old_labels::jsonb,
			labels::jsonb, body
		FROM w WHERE is_written
	)
	SELECT array_agg(CASE WHEN is_written THEN revision ELSE 0 END ORDER BY ord)
		INTO revisions FROM w;

	UPDATE slipway.committer SET seq = p_seq, result = revisions, seen_at = now()
		WHERE id = p_committer AND seq = p_seq - 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'batch % of committer % came too late', p_seq, p_committer
			USING ERRCODE = '40001';
	END IF;
	PERFORM pg_notify('slipway', (first + cardinality(p_op))::text);
	RETURN revisions;
END
$$;

-- After a committer has lost its session: the answer to batch seq if it is in, else NULL, and then
-- it can never come in, since its seq is taken. Waits for a batch that is still being committed.
-- Its own commit comes after that of the batch, also on a synchronous standby.
CREATE FUNCTION slipway.settle(p_committer uuid, p_seq bigint) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
	was slipway.committer;
BEGIN
	INSERT INTO slipway.committer AS c (id, seq) VALUES (p_committer, p_seq)
		ON CONFLICT (id) DO UPDATE SET seen_at = now()
		RETURNING * INTO was;
	IF was.seq >= p_seq AND was.result IS NOT NULL THEN
		RETURN was.result;
	END IF;
	UPDATE slipway.committer SET seq = p_seq, result = NULL WHERE id = p_committer;
	RETURN NULL;
END
$$;

-- Takes the oldest rows off change_log, at most p_rows of them: those from before p_before, and
-- those that are further than p_keep revisions behind. Gives their number.
CREATE FUNCTION slipway.compact(p_before timestamptz, p_keep bigint, p_rows int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	upto bigint;
	gone bigint;
BEGIN
	PERFORM 1 FROM slipway.compaction FOR UPDATE; -- one at a time
	SELECT max(revision) INTO upto FROM (
			SELECT revision, at FROM slipway.change_log ORDER BY revision LIMIT p_rows
		) oldest
		WHERE at < p_before OR revision <= (SELECT n - p_keep FROM slipway.revision);
	IF upto IS NULL THEN
		RETURN 0;
	END IF;
	DELETE FROM slipway.change_log WHERE revision <= upto;
	GET DIAGNOSTICS gone = ROW_COUNT;
	UPDATE slipway.compaction SET revision = upto;
	RETURN gone;
END
$$;
