-- The tables of a cluster: the event log, records, nodes and their duties. Runs in one transaction, in the cluster's schema.

CREATE TABLE log_head (
  epoch text NOT NULL,
  oldest bigint NOT NULL,
  newest bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO log_head VALUES (to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 1, 0);

-- One row for each commit with events.
CREATE TABLE log (last bigint PRIMARY KEY, first bigint NOT NULL, block bytea NOT NULL);
ALTER TABLE log ALTER COLUMN block SET STORAGE EXTERNAL;

CREATE TABLE record (
  tab smallint NOT NULL,
  key bytea NOT NULL,
  value bytea NOT NULL,
  keep_until bigint,
  PRIMARY KEY (tab, key)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE record ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE INDEX record_keep_until ON record (keep_until) WHERE keep_until IS NOT NULL;

CREATE SEQUENCE node_epoch;

-- What a node committed last, and whether it may commit.
CREATE TABLE node (
  id text PRIMARY KEY,
  epoch bigint NOT NULL,
  fenced boolean NOT NULL DEFAULT false,
  commits bigint NOT NULL DEFAULT 0,
  last_first bigint NOT NULL DEFAULT 1,
  last_not_new integer[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- Apart from `node`, whose row a commit locks: a beat must not wait for a commit.
CREATE TABLE beat (
  node text PRIMARY KEY REFERENCES node ON DELETE CASCADE,
  epoch bigint NOT NULL,
  beat bigint NOT NULL DEFAULT 0,
  ended boolean NOT NULL DEFAULT false,
  about text NOT NULL
) WITH (fillfactor = 50);

-- One row. A transaction that changes duties locks it first, so that the numbers grow in the order of the commits.
CREATE TABLE duty_change (number bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO duty_change VALUES (0);

CREATE TABLE duty (
  name text PRIMARY KEY,
  token bigint NOT NULL DEFAULT 0,
  node text,
  next text,
  removed boolean NOT NULL DEFAULT false,
  changed bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX duty_changed ON duty (changed);
CREATE INDEX duty_node ON duty (node) WHERE node IS NOT NULL;

CREATE TABLE node_duty (
  node text REFERENCES node ON DELETE CASCADE,
  duty text,
  settings text NOT NULL,
  PRIMARY KEY (node, duty)
);

CREATE TABLE login (
  platform text,
  account text,
  username text,
  duty text NOT NULL,
  token bigint NOT NULL,
  claim bigint NOT NULL,
  PRIMARY KEY (platform, account, username)
);

-- Locks a node's row, unless the node was fenced. Commits of the node wait until the end of the transaction.
CREATE FUNCTION stand(p_node text, p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM node WHERE id = p_node AND epoch = p_epoch AND NOT fenced FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'node % of epoch % was fenced', p_node, p_epoch USING ERRCODE = 'TF001';
  END IF;
END $$;

CREATE FUNCTION next_change() RETURNS bigint LANGUAGE sql AS $$
  UPDATE duty_change SET number = number + 1 RETURNING number
$$;

-- Makes one commit. The arrays `tabs`, `keys`, `vals`, `untils`, `kinds` and `places` have one entry for each change, sorted
-- by table and key; kind 0 writes, 1 writes if new, 2 removes; a place is the change's index at the caller. Kinds are made
-- in the order 1, 0, 2. A repeated number is answered as the first time. If duties have other holders, they are returned in
-- `lost` and nothing is written. `p_after` is the last commit of the node that it knows was made, and `p_newest` the newest
-- event that it has seen: a database without them has forgotten something.
CREATE FUNCTION commit_step(
  p_node text, p_epoch bigint, p_number bigint, p_after bigint, p_newest bigint, p_duties text[], p_tokens bigint[],
  p_tabs smallint[], p_keys bytea[], p_vals bytea[], p_untils bigint[], p_kinds smallint[], p_places integer[],
  p_events bigint, p_block bytea,
  OUT first bigint, OUT not_new integer[], OUT lost text[]
) LANGUAGE plpgsql AS $$
DECLARE
  done bigint;
BEGIN
  SELECT n.commits, n.last_first, n.last_not_new INTO done, first, not_new
    FROM node n WHERE n.id = p_node AND n.epoch = p_epoch AND NOT n.fenced FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'node % of epoch % was fenced', p_node, p_epoch USING ERRCODE = 'TF001';
  END IF;
  IF done = p_number THEN
    RETURN;
  END IF;
  IF done > p_number THEN
    RAISE EXCEPTION 'commit % of node % is older than its last one, %', p_number, p_node, done USING ERRCODE = 'TF002';
  END IF;
  IF done < p_after OR (SELECT h.newest < p_newest FROM log_head h) THEN
    RAISE EXCEPTION 'the database has forgotten commits' USING ERRCODE = 'TF003';
  END IF;
  not_new := '{}';
  SELECT array_agg(a.name) INTO lost FROM unnest(p_duties, p_tokens) AS a(name, token)
    WHERE NOT EXISTS (
      SELECT FROM duty d WHERE d.name = a.name AND d.token = a.token AND d.node = p_node AND NOT d.removed);
  IF lost IS NOT NULL THEN
    RETURN;
  END IF;
  IF 1 = ANY(p_kinds) THEN
    WITH wanted AS (
      SELECT c.* FROM unnest(p_tabs, p_keys, p_vals, p_untils, p_kinds, p_places)
        AS c(tab, key, value, keep_until, kind, place) WHERE c.kind = 1
    ), made AS (
      INSERT INTO record AS r (tab, key, value, keep_until)
        SELECT w.tab, w.key, w.value, w.keep_until FROM wanted w ORDER BY w.tab, w.key
        ON CONFLICT (tab, key) DO NOTHING RETURNING r.tab, r.key
    )
    SELECT coalesce(array_agg(w.place), '{}') INTO not_new FROM wanted w
      WHERE NOT EXISTS (SELECT FROM made m WHERE m.tab = w.tab AND m.key = w.key);
  END IF;
  IF 0 = ANY(p_kinds) THEN
    INSERT INTO record AS r (tab, key, value, keep_until)
      SELECT c.tab, c.key, c.value, c.keep_until
        FROM unnest(p_tabs, p_keys, p_vals, p_untils, p_kinds) AS c(tab, key, value, keep_until, kind)
        WHERE c.kind = 0 ORDER BY c.tab, c.key
      ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value, keep_until = excluded.keep_until;
  END IF;
  IF 2 = ANY(p_kinds) THEN
    DELETE FROM record r USING unnest(p_tabs, p_keys, p_kinds) AS c(tab, key, kind)
      WHERE c.kind = 2 AND r.tab = c.tab AND r.key = c.key;
  END IF;
  IF p_events > 0 THEN
    -- As late as possible: all other commits wait for this row until the transaction ends.
    UPDATE log_head SET newest = newest + p_events RETURNING newest - p_events + 1 INTO first;
    INSERT INTO log VALUES (first + p_events - 1, first, p_block);
  ELSE
    SELECT h.newest + 1 INTO first FROM log_head h;
  END IF;
  UPDATE node SET commits = p_number, last_first = first, last_not_new = not_new WHERE id = p_node;
END $$;

-- Begins a tenure with no duties, and returns its epoch; null if a node of this name is neither fenced nor gone.
CREATE FUNCTION join_node(p_node text, p_about text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  fresh bigint := nextval('node_epoch');
BEGIN
  DELETE FROM node WHERE id = p_node AND fenced;
  -- Waits for another process that joins under the same name at the same time.
  INSERT INTO node (id, epoch) VALUES (p_node, fresh) ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO beat (node, epoch, about) VALUES (p_node, fresh, p_about);
  UPDATE duty SET node = NULL, changed = c.number FROM (SELECT next_change() AS number) c WHERE node = p_node;
  RETURN fresh;
END $$;

-- The beat's row changes first: a beat that waits for this transaction looks only at that row again. Then the node's row,
-- which waits for a commit that is being made.
CREATE FUNCTION fence_node(p_node text, p_epoch bigint, p_beat bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE beat SET ended = true WHERE node = p_node AND epoch = p_epoch AND beat = p_beat AND NOT ended;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE node SET fenced = true WHERE id = p_node AND epoch = p_epoch;
  RETURN true;
END $$;

CREATE FUNCTION take_duties(p_node text, p_epoch bigint, p_names text[], OUT name text, OUT token bigint)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  PERFORM stand(p_node, p_epoch);
  number := next_change();
  INSERT INTO duty AS d (name, changed) SELECT k.name, number FROM unnest(p_names) AS k(name)
    ON CONFLICT ON CONSTRAINT duty_pkey DO NOTHING;
  RETURN QUERY UPDATE duty d SET token = d.token + 1, node = p_node, next = NULL, changed = number
    WHERE d.name = ANY(p_names) AND NOT d.removed AND (d.node IS NULL OR d.node = p_node
      OR NOT EXISTS (SELECT FROM node o WHERE o.id = d.node AND NOT o.fenced))
    RETURNING d.name, d.token;
END $$;

CREATE FUNCTION know_duties(p_node text, p_epoch bigint, p_names text[], p_settings text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  PERFORM stand(p_node, p_epoch);
  DELETE FROM node_duty WHERE node = p_node;
  INSERT INTO node_duty SELECT p_node, k.name, k.settings FROM unnest(p_names, p_settings) AS k(name, settings);
  number := next_change();
  INSERT INTO duty AS d (name, changed) SELECT k.name, number FROM unnest(p_names) AS k(name)
    ON CONFLICT (name) DO UPDATE SET removed = false, changed = number WHERE d.removed;
END $$;

CREATE FUNCTION leave_cluster(p_node text, p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM stand(p_node, p_epoch);
  UPDATE duty SET node = NULL, changed = c.number FROM (SELECT next_change() AS number) c WHERE node = p_node;
  DELETE FROM node WHERE id = p_node;
END $$;

-- A commit of the node waits until the end of this transaction, and this one waits for a commit that is being made.
CREATE FUNCTION give_duty_back(p_node text, p_epoch bigint, p_name text, p_token bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM stand(p_node, p_epoch);
  UPDATE duty SET node = NULL, changed = next_change() WHERE name = p_name AND token = p_token AND node = p_node;
END $$;

-- Waits for a commit that the holder is making, like a fence.
CREATE FUNCTION remove_duty(p_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM node n WHERE n.id = (SELECT d.node FROM duty d WHERE d.name = p_name) FOR UPDATE;
  UPDATE duty SET removed = true, node = NULL, next = NULL, token = token + 1, changed = next_change()
    WHERE name = p_name;
END $$;

-- A claim holds as long as the duty that made it has the same holder. Only the holder of a duty can claim for it.
CREATE FUNCTION claim_login(
  p_platform text, p_account text, p_username text, p_node text, p_duty text, p_token bigint
) RETURNS TABLE (number bigint, holder text) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO login AS l VALUES (p_platform, p_account, p_username, p_duty, 0, 0)
    ON CONFLICT (platform, account, username) DO NOTHING;
  -- Locked by a statement of its own: the next statement then sees the duties as they are once the row is locked.
  PERFORM FROM login l WHERE l.platform = p_platform AND l.account = p_account AND l.username = p_username FOR UPDATE;
  RETURN QUERY UPDATE login l SET duty = p_duty, token = p_token, claim = l.claim + 1
    WHERE l.platform = p_platform AND l.account = p_account AND l.username = p_username
      AND (l.token = 0 OR l.duty = p_duty OR NOT EXISTS (
        SELECT FROM duty d JOIN node n ON n.id = d.node AND NOT n.fenced WHERE d.name = l.duty AND d.token = l.token))
      AND EXISTS (
        SELECT FROM duty d JOIN node n ON n.id = d.node AND NOT n.fenced
          WHERE d.name = p_duty AND d.token = p_token AND d.node = p_node)
    RETURNING l.claim, NULL::text;
  IF NOT FOUND THEN
    RETURN QUERY SELECT NULL::bigint, l.duty FROM login l
      WHERE l.platform = p_platform AND l.account = p_account AND l.username = p_username;
  END IF;
END $$;
