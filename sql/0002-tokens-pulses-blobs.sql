-- What is no object: tokens, the last reports of hosts, small documents with a lock.

CREATE TABLE slipway.token (
	kind text NOT NULL,
	hash text NOT NULL, -- SHA-256 of the token, which itself is kept nowhere
	subject text NOT NULL,
	"group" text NOT NULL,
	detail text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz, -- NULL: never
	used_at timestamptz, -- NULL: not yet
	PRIMARY KEY (kind, hash)
);

-- Lost with a crash of the server, and written anew within seconds.
CREATE UNLOGGED TABLE slipway.pulse (
	host text COLLATE "C" PRIMARY KEY,
	at timestamptz NOT NULL,
	body text -- the host's last report; NULL: none yet
) WITH (fillfactor = 50);

CREATE TABLE slipway.blob (
	key text COLLATE "C" PRIMARY KEY,
	value bytea, -- NULL: a lock only
	lock_id text, -- NULL: not locked
	lock text,
	changed_at timestamptz NOT NULL DEFAULT now()
);

-- Things of the whole store, such as what tells whether the key file is the right one.
CREATE TABLE slipway.setting (
	key text PRIMARY KEY,
	value text NOT NULL
);
