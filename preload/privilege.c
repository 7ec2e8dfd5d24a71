/*
 * GIVING UP RIGHTS. A server that becomes another user, or changes its root directory, before it
 * makes its first socket (memcached, mosquitto, ngircd) could not start an engine any more: that
 * takes CAP_NET_RAW and a path to the engine. So the engine is started just before.
 *
 * Only for programs that look as if they will make sockets: the executable imports one of libc's
 * calls for it, or a library imports listen() (named's does). su, setpriv and chroot do not; the
 * program that they become has its own user, and with it an engine of its own. A server whose
 * sockets are in a module that is loaded later is not recognised: its first socket then says that
 * capturing needs CAP_NET_RAW.
 */
#include "preload/privilege.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "preload/config.h"
#include "preload/engine.h"

static const ElfW(Dyn) *dynamic_of(const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return NULL;
}

/*
 * An entry that is an address: ld.so has relocated it on most machines, on some it must not write
 * there.
 */
static const void *dynamic_pointer(const struct dl_phdr_info *info, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *d = dynamic_of(info);

	for (; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return (const void *)(d->d_un.d_ptr < info->dlpi_addr
						      ? info->dlpi_addr + d->d_un.d_ptr
						      : d->d_un.d_ptr);
	return NULL;
}

/* The imports are the symbols that the hash table leaves out, which come first (DT_GNU_HASH). */
static bool imports(const struct dl_phdr_info *info, const char *name)
{
	const uint32_t *hash = dynamic_pointer(info, DT_GNU_HASH);
	const ElfW(Sym) *symbol = dynamic_pointer(info, DT_SYMTAB);
	const char *names = dynamic_pointer(info, DT_STRTAB);

	for (uint32_t i = 1; hash && symbol && names && i < hash[1]; i++)
		if (symbol[i].st_shndx == SHN_UNDEF && strcmp(names + symbol[i].st_name, name) == 0)
			return true;
	return false;
}

/* The program itself comes first, and is the only one without a name. */
static int makes_sockets(struct dl_phdr_info *info, size_t size, void *unused)
{
	if (info->dlpi_name[0])
		return imports(info, "listen");
	return imports(info, "socket") || imports(info, "bind") || imports(info, "connect") ||
	       imports(info, "listen") || imports(info, "getaddrinfo");
}

static void start_engine(void)
{
	int saved = errno;
	struct engine_link link;

	if (config_is_this_process() && dl_iterate_phdr(makes_sockets, NULL))
		engine_get(true, &link);
	errno = saved;
}

void privilege_before_uid(uid_t uid)
{
	if (geteuid() == config_get()->uid && uid != config_get()->uid && uid != (uid_t)-1)
		start_engine();
}

void privilege_before_chroot(void)
{
	config_get();
	start_engine();
}
