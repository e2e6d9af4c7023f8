#include "api/want_line.h"

#include <stdlib.h>

#include "kinds/credential.h"

struct want_role {
	char *text; /* its JSON without the closing brace */
	char *verifier; /* "namespace/name" of the Secret */
};

void want_line_done(struct want_line *l)
{
	for (size_t i = 0; i < l->roles_n; i++) {
		free(l->roles[i].text);
		free(l->roles[i].verifier);
	}
	free(l->roles);
	free(l->head);
	*l = (struct want_line){0};
}

/* The JSON of an object without its closing brace, so that more can follow. */
static char *open_text(const json_t *v)
{
	struct buf out = {0};

	jv_print(&out, v, false);
	out.p[out.n - 1] = 0;
	return out.p;
}

static void set_roles(struct want_line *l, const char *ns, const json_t *spec)
{
	json_t *roles = json_object_get(spec, "roles"), *role;
	struct arena a = {0};
	size_t i;

	l->roles_n = json_array_size(roles);
	l->roles = mem_alloc(l->roles_n * sizeof(*l->roles) + 1);
	json_array_foreach (roles, i, role) {
		const char *secret = credential_verifier_name(
			&a, jv_str_or(spec, "database", ""), jv_str_or(role, "name", ""));

		l->roles[i].text = open_text(role);
		/* one without a password of its own must not get that of another role, whose
		 * Secrets have the same names */
		l->roles[i].verifier = jv_int(role, "credential", 0)
			? mem_printf("%s/%s", ns, secret)
			: mem_strdup("");
	}
	arena_done(&a);
}

static void set_head(struct want_line *l, const json_t *o)
{
	CLEANUP(jv_drop) json_t *spec = json_copy(json_object_get(o, "spec"));
	CLEANUP(jv_drop)
	json_t *all = json_pack(
		"{s:s, s:s, s:s, s:b}", "uid", jv_str_or(o, "metadata.uid", ""), "namespace",
		jv_str_or(o, "metadata.namespace", ""), "name", jv_str_or(o, "metadata.name", ""),
		"deleting", jv_str(o, "metadata.deletionTimestamp") != NULL);
	struct buf out = {0};

	json_object_del(spec, "roles");
	jv_print(&out, all, false);
	out.n--; /* the closing brace */
	buf_puts(&out, ",\"spec\":");
	jv_print(&out, spec, false);
	out.p[out.n - 1] = 0;
	l->head = mem_strdup(out.p);
	buf_done(&out);
}

void want_line_init(struct want_line *l, const json_t *member)
{
	set_roles(l, jv_str_or(member, "metadata.namespace", ""), json_object_get(member, "spec"));
	set_head(l, member);
}

bool want_line_names(const struct want_line *l, struct str secret)
{
	for (size_t i = 0; i < l->roles_n; i++)
		if (str_is(secret, l->roles[i].verifier))
			return true;
	return false;
}

static void print_string(struct buf *out, const char *text)
{
	CLEANUP(jv_drop) json_t *v = json_string(text);

	jv_print(out, v, false);
}

/* Head, roles with their verifiers, and the braces that the head left open. */
void want_line_print(const struct want_line *l, const struct map *verifiers, struct buf *out)
{
	buf_puts(out, l->head);
	buf_puts(out, out->p[out->n - 1] == '{' ? "\"roles\":[" : ",\"roles\":[");
	for (size_t i = 0; i < l->roles_n; i++) {
		const char *verifier = map_get(verifiers, str_of(l->roles[i].verifier));

		buf_printf(out, "%s%s", i ? "," : "", l->roles[i].text);
		if (verifier) {
			buf_puts(out, ",\"verifier\":");
			print_string(out, verifier);
		}
		buf_putc(out, '}');
	}
	buf_puts(out, "]}}");
}
