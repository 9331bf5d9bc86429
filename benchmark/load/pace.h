/*
 * A fixed rate: every message has a time at which it is due, spread evenly over all sockets, and its latency counts from
 * then, whether or not it could be sent. So a server that stalls is charged for all the messages that came due meanwhile
 * (no coordinated omission). Messages follow each other without waiting for the answer.
 */

/* A message that leaves so many seconds after it was due is the generator's fault, or its core's. */
#define TARDY 1e-3

struct pace {
	double interval, start;
	unsigned long sent, total;
};

static inline struct pace pace_of(double rate, double seconds)
{
	return (struct pace){ .interval = 1 / rate, .total = seconds * rate };
}

static inline double due(const struct pace *p, unsigned long nth)
{
	return p->start + nth * p->interval;
}

/* Whether the next message may be sent at `t`; counts it as sent. */
static inline int is_due(struct pace *p, struct counts *counts, double t)
{
	if (p->sent == p->total || due(p, p->sent) > t)
		return 0;
	counts->tardy += t - due(p, p->sent) > TARDY;
	p->sent++;
	return 1;
}

/* The answer to a message has come. */
static inline void count_paced(const struct pace *p, struct counts *counts, unsigned long nth, double t)
{
	count_latency(t - due(p, nth));
	counts->ops++;
}
