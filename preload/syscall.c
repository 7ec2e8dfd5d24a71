/*
 * syscall(2) with the number of a call that has a wrapper here: libuv and others call the kernel past
 * the libc function, and mean a TCP socket all the same. Such a call goes to the wrapper (seccomp has
 * none, but is a way into a sandbox); every other number to the kernel, from assembler and without a
 * frame of ours, because a child of vfork or clone may return from it.
 *
 * This library's own system calls must never come back to its wrappers. The linker is told
 * --wrap=syscall: every `syscall` in our objects is __wrap_syscall, which goes straight to the
 * kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/process.h"

enum { NUMBERS = 512 };

#define HERE __attribute__((used, visibility("hidden")))

long syscall_for_sockets(long number, long a, long b, long c, long d, long e, long f);
long syscall_failed(long result);
extern const unsigned char syscall_is_ours[NUMBERS];

HERE const unsigned char syscall_is_ours[NUMBERS] = {
	[SYS_socket] = 1,
	[SYS_connect] = 1,
	[SYS_bind] = 1,
	[SYS_listen] = 1,
	[SYS_accept] = 1,
	[SYS_accept4] = 1,
	[SYS_getsockname] = 1,
	[SYS_getpeername] = 1,
	[SYS_getsockopt] = 1,
	[SYS_setsockopt] = 1,
	[SYS_shutdown] = 1,
	[SYS_sendto] = 1,
	[SYS_sendmsg] = 1,
	[SYS_sendmmsg] = 1,
	[SYS_recvfrom] = 1,
	[SYS_recvmsg] = 1,
	[SYS_recvmmsg] = 1,
	[SYS_ioctl] = 1,
	[SYS_prctl] = 1,
	[SYS_seccomp] = 1,
};

HERE long syscall_failed(long result)
{
	errno = (int)-result;
	return -1;
}

static long control_call(long number, int fd, long b, long c, long d, long e)
{
	switch (number) {
	case SYS_socket:
		return socket(fd, (int)b, (int)c);
	case SYS_connect:
		return connect(fd, (void *)b, (socklen_t)c);
	case SYS_bind:
		return bind(fd, (void *)b, (socklen_t)c);
	case SYS_listen:
		return listen(fd, (int)b);
	case SYS_accept:
		return accept(fd, (void *)b, (void *)c);
	case SYS_accept4:
		return accept4(fd, (void *)b, (void *)c, (int)d);
	case SYS_getsockname:
		return getsockname(fd, (void *)b, (void *)c);
	case SYS_getpeername:
		return getpeername(fd, (void *)b, (void *)c);
	case SYS_getsockopt:
		return getsockopt(fd, (int)b, (int)c, (void *)d, (void *)e);
	case SYS_setsockopt:
		return setsockopt(fd, (int)b, (int)c, (void *)d, (socklen_t)e);
	case SYS_shutdown:
		return shutdown(fd, (int)b);
	default:
		return ioctl(fd, (unsigned long)b, c);
	}
}

HERE long syscall_for_sockets(long number, long a, long b, long c, long d, long e, long f)
{
	int fd = (int)a;

	switch (number) {
	case SYS_sendto:
		return sendto(fd, (void *)b, (size_t)c, (int)d, (void *)e, (socklen_t)f);
	case SYS_sendmsg:
		return sendmsg(fd, (void *)b, (int)c);
	case SYS_sendmmsg:
		return sendmmsg(fd, (void *)b, (unsigned)c, (int)d);
	case SYS_recvfrom:
		return recvfrom(fd, (void *)b, (size_t)c, (int)d, (void *)e, (void *)f);
	case SYS_recvmsg:
		return recvmsg(fd, (void *)b, (int)c);
	case SYS_recvmmsg:
		return recvmmsg(fd, (void *)b, (unsigned)c, (int)d, (void *)e);
	case SYS_prctl:
		return prctl(fd, b, c, d, e);
	case SYS_seccomp:
		process_confine();
		return syscall(number, a, b, c);
	default:
		return control_call(number, fd, b, c, d, e);
	}
}

#if defined(__x86_64__)
asm(".text\n"
    ".globl syscall\n"
    ".type syscall, @function\n"
    "syscall:\n"
    "	cmpq $512, %rdi\n"
    "	jae __wrap_syscall\n"
    "	leaq syscall_is_ours(%rip), %rax\n"
    "	cmpb $0, (%rax, %rdi)\n"
    "	jne syscall_for_sockets\n"
    ".globl __wrap_syscall\n"
    ".hidden __wrap_syscall\n"
    ".type __wrap_syscall, @function\n"
    "__wrap_syscall:\n"
    "	movq %rdi, %rax\n"
    "	movq %rsi, %rdi\n"
    "	movq %rdx, %rsi\n"
    "	movq %rcx, %rdx\n"
    "	movq %r8, %r10\n"
    "	movq %r9, %r8\n"
    "	movq 8(%rsp), %r9\n"
    "	syscall\n"
    "	cmpq $-4095, %rax\n"
    "	jae 1f\n"
    "	ret\n"
    "1:	movq %rax, %rdi\n"
    "	jmp syscall_failed\n"
    ".size __wrap_syscall, .-__wrap_syscall\n"
    ".size syscall, .-syscall\n");
#elif defined(__aarch64__)
asm(".text\n"
    ".globl syscall\n"
    ".type syscall, %function\n"
    "syscall:\n"
    "	cmp x0, #512\n"
    "	b.hs __wrap_syscall\n"
    "	adrp x9, syscall_is_ours\n"
    "	add x9, x9, :lo12:syscall_is_ours\n"
    "	ldrb w9, [x9, x0]\n"
    "	cbz w9, __wrap_syscall\n"
    "	b syscall_for_sockets\n"
    ".globl __wrap_syscall\n"
    ".hidden __wrap_syscall\n"
    ".type __wrap_syscall, %function\n"
    "__wrap_syscall:\n"
    "	mov x8, x0\n"
    "	mov x0, x1\n"
    "	mov x1, x2\n"
    "	mov x2, x3\n"
    "	mov x3, x4\n"
    "	mov x4, x5\n"
    "	mov x5, x6\n"
    "	svc #0\n"
    "	cmn x0, #4095\n"
    "	b.cs syscall_failed\n"
    "	ret\n"
    ".size __wrap_syscall, .-__wrap_syscall\n"
    ".size syscall, .-syscall\n");
#else
/* Not taken on other machines. */
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

HERE long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	return __real_syscall(number, a, b, c, d, e, f);
}
#endif
