/*
 * A C program with the note that Go's linker leaves in each of its programs: what `teecee run` knows them by.
 */
#include <stdio.h>

__asm__(".pushsection .note.go.buildid, \"a\", @note\n"
	".balign 4\n"
	".long 4, 4, 4\n"
	".asciz \"Go\"\n"
	".balign 4\n"
	".long 0\n"
	".popsection\n");

int main(void)
{
	puts("it ran");
	return 0;
}
