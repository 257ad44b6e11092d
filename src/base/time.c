#include "base/time.h"

#include "base/bytes.h"

struct civil {
	unsigned year, month, day, hour, minute, second;
};

static int
is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
days_in(unsigned year, unsigned month)
{
	static const uint8_t days[12] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar, counted in years
 * that begin in March, so that leap days come last, from the year -400. */
static int64_t
days_from(unsigned year, unsigned month, unsigned day)
{
	unsigned y = year + 400 - (month <= 2);
	unsigned in_year =
	    (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)(y * 365 + y / 4 - y / 100 + y / 400 + in_year) -
	       (719468 + 146097);
}

static int
exists(const struct civil *c)
{
	return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	       c->day <= days_in(c->year, c->month) && c->hour <= 23 &&
	       c->minute <= 59 && c->second <= 59;
}

static int64_t
seconds(const struct civil *c)
{
	return days_from(c->year, c->month, c->day) * 86400 +
	       (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
}

/* Reads n digits. */
static int
number(const char *in, unsigned n, unsigned *out)
{
	unsigned value = 0;

	for (unsigned i = 0; i < n; i++) {
		if (in[i] < '0' || in[i] > '9')
			return 0;
		value = value * 10 + (unsigned)(in[i] - '0');
	}
	*out = value;
	return 1;
}

/* "Z" or "+hh:mm"; the offset in minutes. */
static int
zone(const char *in, size_t len, int *minutes)
{
	unsigned hour, minute;

	*minutes = 0;
	if (len == 1)
		return in[0] == 'Z' || in[0] == 'z';
	if (len != 6 || (in[0] != '+' && in[0] != '-') || in[3] != ':' ||
	    !number(in + 1, 2, &hour) || !number(in + 4, 2, &minute) ||
	    hour > 23 || minute > 59)
		return 0;
	*minutes = (int)(hour * 60 + minute) * (in[0] == '-' ? -1 : 1);
	return 1;
}

/* Skips ".123"; len is at least 1. */
static size_t
fraction(const char *in, size_t len)
{
	size_t n = 1;

	if (in[0] != '.')
		return 0;
	while (n < len && in[n] >= '0' && in[n] <= '9')
		n++;
	return n > 1 ? n : 0;
}

enum pinfast_error
pf_time_parse(const char *in, size_t len, int64_t *out)
{
	struct civil c = {0, 0, 0, 0, 0, 0};
	int offset = 0;
	size_t at = 19;

	if (len < 10 || !number(in, 4, &c.year) || in[4] != '-' ||
	    !number(in + 5, 2, &c.month) || in[7] != '-' ||
	    !number(in + 8, 2, &c.day))
		return PINFAST_EFORMAT;
	if (len > 10) {
		if (len < 20 || (in[10] != 'T' && in[10] != 't') ||
		    !number(in + 11, 2, &c.hour) || in[13] != ':' ||
		    !number(in + 14, 2, &c.minute) || in[16] != ':' ||
		    !number(in + 17, 2, &c.second))
			return PINFAST_EFORMAT;
		at += fraction(in + at, len - at);
		if (!zone(in + at, len - at, &offset))
			return PINFAST_EFORMAT;
	}
	if (!exists(&c))
		return PINFAST_EFORMAT;
	*out = seconds(&c) - (int64_t)offset * 60;
	return PINFAST_OK;
}

static void
put(char *out, unsigned digits, unsigned value)
{
	while (digits-- > 0) {
		out[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
pf_time_write(int64_t at, char out[PF_TIME_TEXT_LEN])
{
	const int64_t first = -62167219200LL; /* 0000-01-01 */
	const int64_t last = 253402300799LL;  /* 9999-12-31T23:59:59Z */
	struct civil c;
	int64_t days, rest;
	unsigned in_era, in_year, shifted;

	at = at < first ? first : at > last ? last : at;
	days = (at - first) / 86400;
	rest = (at - first) % 86400;
	/* Days since 0000-03-01 of the era before, to stay positive. */
	days += 146097 - 60;
	in_era = (unsigned)(days % 146097);
	c.year =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	in_year = in_era - (365 * c.year + c.year / 4 - c.year / 100);
	shifted = (5 * in_year + 2) / 153;
	c.day = in_year - (153 * shifted + 2) / 5 + 1;
	c.month = shifted < 10 ? shifted + 3 : shifted - 9;
	c.year += (unsigned)(days / 146097) * 400 - 400 + (c.month <= 2);
	memcpy(out, "0000-00-00T00:00:00Z", 21);
	put(out, 4, c.year);
	put(out + 5, 2, c.month);
	put(out + 8, 2, c.day);
	put(out + 11, 2, (unsigned)(rest / 3600));
	put(out + 14, 2, (unsigned)(rest / 60 % 60));
	put(out + 17, 2, (unsigned)(rest % 60));
}

/* Two digits; 100: they are none. */
static unsigned
two(const uint8_t *in)
{
	unsigned tens = in[0] - (unsigned)'0', ones = in[1] - (unsigned)'0';

	return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

enum pinfast_error
pf_time_asn1(const uint8_t *in, size_t len, int generalized, int64_t *out)
{
	struct civil c;
	unsigned century, year;

	if (len != (generalized ? 15 : 13) || in[len - 1] != 'Z')
		return PINFAST_EFORMAT;
	century = generalized ? two(in) : 0;
	in += len - 13;
	year = two(in);
	if (century == 100 || year == 100)
		return PINFAST_EFORMAT;
	if (!generalized)
		century = year >= 50 ? 19 : 20;
	c.year = century * 100 + year;
	/* What is no number is no month, day or hour either. */
	c.month = two(in + 2);
	c.day = two(in + 4);
	c.hour = two(in + 6);
	c.minute = two(in + 8);
	c.second = two(in + 10);
	if (!exists(&c))
		return PINFAST_EFORMAT;
	*out = seconds(&c);
	return PINFAST_OK;
}
