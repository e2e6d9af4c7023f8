// node clients.js URI: what programs do with node-postgres. Says "ok" at the end.
const assert = require('assert');
const { Client, Pool } = require('pg');

const uri = process.argv[2];

async function inTransactions(pool) {
	const client = await pool.connect();
	await client.query('begin');
	await client.query('create temp table t (a int, b text) on commit drop');
	for (let i = 0; i < 10; i++)
		await client.query({ name: 'put', text: 'insert into t values ($1, $2)', values: [i, `row ${i}`] });
	const { rows } = await client.query('select count(*)::int as n, max(b) as b from t');
	assert.deepStrictEqual(rows, [{ n: 10, b: 'row 9' }]);
	await client.query('commit');
	client.release();
}

async function atOnce(pool) {
	const all = await Promise.all([...Array(100).keys()].map((i) =>
		pool.query({ name: 'twice', text: 'select 2 * $1::int as twice', values: [i] })));
	all.forEach((r, i) => assert.strictEqual(r.rows[0].twice, 2 * i));
}

async function errorsAreOne(client) {
	await assert.rejects(client.query('select nothing'), { code: '42703' });
	await assert.rejects(client.query('select 1 / $1::int', [0]), { code: '22012' });
	assert.strictEqual((await client.query('select 1 as one')).rows[0].one, 1);
}

async function main() {
	const pool = new Pool({ connectionString: uri, max: 8 });
	await atOnce(pool);
	await inTransactions(pool);
	await pool.end();
	const client = new Client({ connectionString: uri, application_name: 'clients.js' });
	await client.connect();
	await errorsAreOne(client);
	await client.end();
	console.log('ok');
}

main().catch((e) => {
	console.error(e);
	process.exit(1);
});
