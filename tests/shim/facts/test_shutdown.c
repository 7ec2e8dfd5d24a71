/*
 * Every combination of shutdown and close, on a connected AF_UNIX pair and on a real TCP connection
 * side by side: the poll flags of the other end must be the same. Where they are not, the test says
 * so by name, because the engine has to know.
 */
#include "tests/shim/facts/facts.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/stat.h>

/* Applies `how` ('w', 'r', 'b': shutdown; 'c': close; '-': nothing) to one end. */
static void end(int *fd, char how)
{
	switch (how) {
	case 'w':
		assert_int_equal(shutdown(*fd, SHUT_WR), 0);
		break;
	case 'r':
		assert_int_equal(shutdown(*fd, SHUT_RD), 0);
		break;
	case 'b':
		assert_int_equal(shutdown(*fd, SHUT_RDWR), 0);
		break;
	case 'c':
		close(*fd);
		*fd = -1;
		break;
	}
}

struct combination {
	char engine, program; /* in this order */
	int flags;            /* what the program's end polls */
};

static void the_program_sees_what_tcp_shows(void **state)
{
	static const struct combination table[] = {
		{'-', '-', POLLOUT},
		{'w', '-', POLLOUT | POLLIN | POLLRDHUP},
		{'-', 'w', POLLOUT},
		{'-', 'r', POLLOUT | POLLIN | POLLRDHUP},
		{'-', 'b', POLLOUT | POLLIN | POLLRDHUP | POLLHUP},
		{'w', 'w', POLLOUT | POLLIN | POLLRDHUP | POLLHUP},
		{'w', 'r', POLLOUT | POLLIN | POLLRDHUP},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct combination *c = &table[i];
		struct pair u = seeded_pair(), t = tcp_pair();

		end(&u.engine, c->engine);
		end(&u.program, c->program);
		end(&t.engine, c->engine);
		end(&t.program, c->program);
		if (poll_until(t.program, c->flags) != c->flags || poll_now(u.program) != c->flags)
			fail_msg("engine %c program %c: tcp %#x unix %#x, expected %#x", c->engine,
				c->program, poll_now(t.program), poll_now(u.program), c->flags);
		pair_close(&u);
		pair_close(&t);
	}
}

static void a_clean_end_of_both_directions_polls_as_tcp(void **state)
{
	struct pair u = seeded_pair(), t = tcp_pair();
	int flags = POLLOUT | POLLIN | POLLRDHUP | POLLHUP;
	char byte;

	end(&u.program, 'w');
	end(&u.engine, 'w');
	assert_int_equal(read(u.engine, &byte, 1), 1);
	end(&u.engine, 'c');
	end(&t.program, 'w');
	end(&t.engine, 'c');
	assert_int_equal(poll_until(t.program, flags), flags);
	assert_int_equal(poll_now(u.program), flags);
	assert_int_equal(read(u.program, &byte, 1), 0);
	pair_close(&u);
	pair_close(&t);
}

static void the_engine_sees_shut_wr_and_close_apart(void **state)
{
	struct pair p = seeded_pair();

	end(&p.program, 'w');
	assert_int_equal(poll_now(p.engine), POLLIN | POLLOUT | POLLRDHUP);
	end(&p.program, 'c');
	assert_int_equal(poll_now(p.engine), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	pair_close(&p);
}

static void shut_rd_shows_only_as_epipe(void **state)
{
	struct pair p = seeded_pair();

	end(&p.program, 'r');
	assert_int_equal(poll_now(p.engine), POLLIN | POLLOUT);
	assert_int_equal(send(p.engine, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	pair_close(&p);
}

/* The inode of the other end by UNIX_DIAG; 0: there is none any more. */
static uint32_t peer_inode(int fd)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} ask = {
		.h = {.nlmsg_len = sizeof(ask),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST},
		.r = {.sdiag_family = AF_UNIX,
			.udiag_states = -1,
			.udiag_show = UDIAG_SHOW_PEER,
			.udiag_cookie = {-1, -1}},
	};
	char answer[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *h = (struct nlmsghdr *)answer;
	struct nlattr *a = (struct nlattr *)(answer + NLMSG_LENGTH(sizeof(struct unix_diag_msg)));
	struct stat st;
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	uint32_t inode = 0;
	ssize_t n;

	assert_true(nl >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	ask.r.udiag_ino = (uint32_t)st.st_ino;
	assert_int_equal(send(nl, &ask, sizeof(ask), 0), sizeof(ask));
	n = recv(nl, answer, sizeof(answer), 0);
	close(nl);
	assert_true(n >= (ssize_t)sizeof(*h));
	assert_int_equal(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	if ((char *)a < answer + n && a->nla_type == UNIX_DIAG_PEER)
		memcpy(&inode, (char *)a + NLA_HDRLEN, sizeof(inode));
	return inode;
}

static void unix_diag_tells_the_close_that_hup_hides(void **state)
{
	struct pair p = seeded_pair();
	struct stat st;
	int both;

	assert_int_equal(fstat(p.program, &st), 0);
	end(&p.program, 'w');
	end(&p.engine, 'w');
	both = poll_now(p.engine);
	assert_int_equal(both, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	assert_int_equal(peer_inode(p.engine), (uint32_t)st.st_ino);
	end(&p.program, 'c');
	assert_int_equal(poll_now(p.engine), both); /* the flags say nothing */
	assert_int_equal(peer_inode(p.engine), 0);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_sees_what_tcp_shows),
		cmocka_unit_test(a_clean_end_of_both_directions_polls_as_tcp),
		cmocka_unit_test(the_engine_sees_shut_wr_and_close_apart),
		cmocka_unit_test(shut_rd_shows_only_as_epipe),
		cmocka_unit_test(unix_diag_tells_the_close_that_hup_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
