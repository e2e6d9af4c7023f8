#include <sodium.h>

#include "codec/sasl_part.h"

enum { NONCE_BYTES = SASL_NONCE / 4 * 3 };

bool sasl_attr(struct str *rest, char *ret_name, struct str *ret_value)
{
	struct str r = *rest, part;
	char name;

	if (!str_split(&r, ',', &part) || part.n < 2 || part.p[1] != '=')
		return false;
	name = part.p[0];
	if (!(name >= 'a' && name <= 'z') && !(name >= 'A' && name <= 'Z'))
		return false;
	*rest = r;
	*ret_name = name;
	*ret_value = (struct str){part.p + 2, part.n - 2};
	return true;
}

bool sasl_attr_of(struct str *rest, char name, struct str *ret_value)
{
	struct str r = *rest, value;
	char found;

	if (!sasl_attr(&r, &found, &value) || found != name)
		return false;
	*rest = r;
	*ret_value = value;
	return true;
}

bool sasl_extensions(struct str rest)
{
	struct str value;
	char name;

	while (rest.p)
		if (!sasl_attr(&rest, &name, &value) || name == 'm')
			return false;
	return true;
}

bool sasl_is_nonce(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.n > 0;
}

bool sasl_is_message(struct str s)
{
	return s.n > 0 && s.n <= SASL_MESSAGE_MAX && !memchr(s.p, '\0', s.n);
}

void sasl_put_base64(struct buf *b, struct str bytes)
{
	size_t max = sodium_base64_encoded_len(bytes.n, sodium_base64_VARIANT_ORIGINAL);

	buf_reserve(b, max); /* a NUL byte included */
	sodium_bin2base64(
		b->p + b->n, max, (const unsigned char *)bytes.p, bytes.n,
		sodium_base64_VARIANT_ORIGINAL);
	b->n += max - 1;
}

void sasl_put_nonce(struct buf *b)
{
	unsigned char bytes[NONCE_BYTES];

	randombytes_buf(bytes, sizeof(bytes));
	sasl_put_base64(b, (struct str){(const char *)bytes, sizeof(bytes)});
}

bool sasl_get_base64(struct str text, size_t max, unsigned char *ret, size_t *ret_n)
{
	return sodium_base642bin(
		       ret, max, text.p, text.n, NULL, ret_n, NULL,
		       sodium_base64_VARIANT_ORIGINAL) == 0 &&
		*ret_n > 0;
}

bool sasl_get_key(struct str text, unsigned char ret[SCRAM_KEY])
{
	size_t n;

	return sasl_get_base64(text, SCRAM_KEY, ret, &n) && n == SCRAM_KEY;
}

void sasl_put_binding(struct buf *b, struct str gs2_header, struct str data)
{
	CLEANUP(buf_done) struct buf all = {0};

	buf_str(&all, gs2_header);
	buf_str(&all, data);
	sasl_put_base64(b, buf_view(&all));
}

enum sasl_status sasl_bad(struct err *e, const char *why)
{
	err_set(e, ERR_INVALID, "SASL: %s", why);
	return SASL_BAD;
}
