#include <besom/besom.h>
#include <besom/besom.h> /* Guarded against being read twice. */

int unit(const char* version);
int unit(const char* version) { return version == besom_version(); }
