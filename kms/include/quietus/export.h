/* Marks what the shared library shows; everything else is hidden. Readable by a C compiler. */
#ifndef QUIETUS_EXPORT_H
#define QUIETUS_EXPORT_H

#define QUIETUS_EXPORT __attribute__((visibility("default"))) /* is shown */

#endif
