#include "api/reply.h"

#include "api/status.h"
#include "api/table.h"
#include "codec/yaml.h"

void reply_value(struct call *c, int status, const json_t *value)
{
	c->rs->status = status;
	if (c->accept.is_yaml) {
		c->rs->content_type = "application/yaml";
		yaml_print(&c->rs->body, value);
		return;
	}
	c->rs->content_type = "application/json";
	jv_print(&c->rs->body, value, !strcmp(call_query(c, "pretty", ""), "true"));
	buf_putc(&c->rs->body, '\n');
}

static json_t *table_of(struct call *c, const json_t *object)
{
	enum table_include how = TABLE_METADATA;
	json_t *table;

	table_include_parse(http_query(c->rq, "includeObject"), &how);
	table = table_new(c->route.kind, true);
	jv_set_str(table, "metadata.resourceVersion", jv_str(object, "metadata.resourceVersion"));
	table_add(table, c->route.kind, object, how);
	return table;
}

json_t *reply_object(struct call *c, int status, const json_t *object)
{
	CLEANUP(jv_drop) json_t *other = NULL;
	enum table_include how;

	if (!table_include_parse(http_query(c->rq, "includeObject"), &how))
		return status_bad_request("includeObject must be None, Metadata or Object");
	if (c->accept.form == FORM_TABLE)
		other = table_of(c, object);
	else if (c->accept.form == FORM_METADATA)
		other = table_metadata(object);
	reply_value(c, status, other ? other : object);
	return NULL;
}

void reply_status(struct call *c, json_t *status)
{
	int64_t retry = jv_int(status, "details.retryAfterSeconds", 0);

	if (retry)
		http_response_header(
			c->rs, "Retry-After", arena_printf(c->arena, "%lld", (long long)retry));
	if (status_code(status) == 401)
		http_response_header(c->rs, "WWW-Authenticate", "Bearer realm=\"slipway\"");
	reply_value(c, status_code(status), status);
	json_decref(status);
}

void reply_text(struct call *c, int status, const char *content_type, struct str text)
{
	c->rs->status = status;
	c->rs->content_type = content_type;
	buf_str(&c->rs->body, text);
}

void reply_warn(struct call *c, const char *text)
{
	struct buf out = {0};

	buf_puts(&out, "299 - \"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(&out, '\\');
		buf_putc(&out, (unsigned char)*text < ' ' ? ' ' : *text);
	}
	buf_putc(&out, '"');
	http_response_header(c->rs, "Warning", arena_strdup(c->arena, out.p));
	buf_done(&out);
}
