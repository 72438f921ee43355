#include "besom.h"
#include "besom.h" /* Guarded against being read twice. */

int unit(const char* version);
int unit(const char* version) { return version == besom_version(); }
