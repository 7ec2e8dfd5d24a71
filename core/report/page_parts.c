#include "core/report/page_parts.h"

/* The paths are from the top of the tree, where the compiler runs. Each ends with a NUL. */
#define PART(name, file)                                                                           \
	__asm__(".pushsection .rodata\n"                                                           \
		".global " #name "\n"                                                              \
		".hidden " #name "\n"                                                              \
		".type " #name ", @object\n" #name ":\n"                                           \
		".incbin \"core/report/page/" file "\"\n"                                          \
		".byte 0\n"                                                                        \
		".size " #name ", . - " #name "\n"                                                 \
		".popsection\n")

PART(page_style, "style.css");
PART(page_body, "body.html");
PART(page_data, "data.js");
PART(page_chart, "chart.js");
PART(page_view, "view.js");
PART(page_zoom, "zoom.js");
