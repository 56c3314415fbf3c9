/*
 * The part of OpenSlide's C interface that Parfocal calls, for the builds that
 * use the prebuilt library from PyPI: that package holds the library alone.
 * Where the system has OpenSlide 4.0.1 or newer, its own header is used and
 * this file is not read.
 *
 * The declarations follow OpenSlide 4.0's public interface
 * (https://openslide.org/api/openslide_8h.html). A function is added here when
 * the Rust bindings start to use it.
 */

#ifndef PARFOCAL_OPENSLIDE_H
#define PARFOCAL_OPENSLIDE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open slide; safe to share between threads, except in openslide_close. */
typedef struct _openslide openslide_t;

/* A tile cache, which several slides may share. */
typedef struct _openslide_cache openslide_cache_t;

/* The library's version, as "4.0.1". Never freed. */
const char *openslide_get_version(void);

/* Opening. Both give NULL for a file that no reader takes; a slide that a
 * reader takes and then fails on comes back with its error set. */
const char *openslide_detect_vendor(const char *filename);
openslide_t *openslide_open(const char *filename);
void openslide_close(openslide_t *osr);

/* NULL while the slide is in order. The first error stays: every later call
 * on that slide fails with it. */
const char *openslide_get_error(openslide_t *osr);

/* Levels: -1 in a result says that the call failed. */
int32_t openslide_get_level_count(openslide_t *osr);
void openslide_get_level0_dimensions(openslide_t *osr, int64_t *w, int64_t *h);
void openslide_get_level_dimensions(openslide_t *osr, int32_t level,
                                    int64_t *w, int64_t *h);
double openslide_get_level_downsample(openslide_t *osr, int32_t level);
int32_t openslide_get_best_level_for_downsample(openslide_t *osr,
                                                double downsample);

/* Pixels: premultiplied ARGB, w * h values of 32 bits in native byte order.
 * x and y are in level 0, w and h in the level asked for. */
void openslide_read_region(openslide_t *osr, uint32_t *dest,
                           int64_t x, int64_t y, int32_t level,
                           int64_t w, int64_t h);

/* The slide's colour profile; size 0 where it has none, -1 on an error. */
int64_t openslide_get_icc_profile_size(openslide_t *osr);
void openslide_read_icc_profile(openslide_t *osr, void *dest);

/* Properties. The list of names ends with NULL and belongs to the slide. */
const char *const *openslide_get_property_names(openslide_t *osr);
const char *openslide_get_property_value(openslide_t *osr, const char *name);

/* Associated images: label, macro, thumbnail and the like. */
const char *const *openslide_get_associated_image_names(openslide_t *osr);
void openslide_get_associated_image_dimensions(openslide_t *osr,
                                               const char *name,
                                               int64_t *w, int64_t *h);
void openslide_read_associated_image(openslide_t *osr, const char *name,
                                     uint32_t *dest);
int64_t openslide_get_associated_image_icc_profile_size(openslide_t *osr,
                                                        const char *name);
void openslide_read_associated_image_icc_profile(openslide_t *osr,
                                                 const char *name, void *dest);

/* Tile cache. Setting takes a reference of its own, so the caller may release
 * the cache straight after. */
openslide_cache_t *openslide_cache_create(size_t capacity);
void openslide_set_cache(openslide_t *osr, openslide_cache_t *cache);
void openslide_cache_release(openslide_cache_t *cache);

#ifdef __cplusplus
}
#endif

#endif
