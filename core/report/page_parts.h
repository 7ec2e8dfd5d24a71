/*
 * The files of core/report/page/, which the build puts into the program.
 */
#ifndef TEECEE_REPORT_PAGE_PARTS_H
#define TEECEE_REPORT_PAGE_PARTS_H

extern const char page_style[], page_body[], page_data[], page_chart[], page_view[], page_zoom[];

#endif
