/* Quietus from C: a vault of encrypted records whose keys can be destroyed.
 *
 * Conventions
 *  1. A function that can fail returns int: QUIETUS_OK (0); QUIETUS_ABSENT, QUIETUS_STOPPED and
 *     QUIETUS_TOO_SMALL, which are answers and no errors; or a negative QUIETUS_E… code, the number
 *     of quietus::ErrorCode (result.hpp), negated.
 *  2. A handle is a number in the clothes of a pointer, and is never followed: one that is NULL,
 *     closed, of another kind or made up is answered with QUIETUS_EINVALID. No number comes twice.
 *     Close what you opened once; closing NULL does nothing.
 *  3. Text in is UTF-8 with a NUL at its end. Bytes in are a pointer and a size; the pointer may be
 *     NULL when the size is 0. Both are borrowed for the call.
 *  4. Nothing changes owner. What comes out is written into your buffer, or shown to your callback
 *     for as long as the callback runs. A buffer that is too small is left as it is and answered
 *     with QUIETUS_TOO_SMALL; *size says how many bytes there are. Text out has a NUL at its end
 *     that *size does not count, and needs room.
 *  5. A callback returns 0 to go on. Anything else stops the call: QUIETUS_STOPPED. It may call any
 *     function but those that close what is being worked with, and must return.
 *  6. quietus_last_error() tells about the last call of this thread that returned an error.
 *  7. Any function may be called from any thread at any time, also with one handle from many. Who
 *     closes a handle lets calls that have begun with it finish.
 *  8. Structs for options and for answers begin with `size`: set it to sizeof. What a later version
 *     adds at their ends is zero for who was compiled before. NULL options are all zeros.
 *  9. Times are Unix milliseconds; 0: never, or not given. Sizes are bytes.
 * 10. After fork() the handles of the child answer QUIETUS_EUNAVAILABLE.
 *
 * This interface, with that of operations.h (backups, transfers, requests), is the one that stays
 * compatible: within one soname nothing is removed or changed.
 */
#ifndef QUIETUS_QUIETUS_H
#define QUIETUS_QUIETUS_H

#include <quietus/export.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): names as C has them */

/* ---- answers --------------------------------------------------------------------------------- */

enum {
  QUIETUS_OK = 0,
  QUIETUS_ABSENT = 1,    /* there is no such record; it may never have been there */
  QUIETUS_STOPPED = 2,   /* by your callback */
  QUIETUS_TOO_SMALL = 3, /* your buffer; *size says what is needed */

  QUIETUS_EINVALID = -1,      /* the call itself is wrong; correct it */
  QUIETUS_ENOTFOUND = -2,     /* no such vault, scope or certificate */
  QUIETUS_EERASED = -3,       /* it existed and was crypto-erased; final */
  QUIETUS_ERESTRICTED = -4,   /* processing is restricted; nothing is lost */
  QUIETUS_EHELD = -5,         /* a legal hold is in the way */
  QUIETUS_EREFUSED = -6,      /* wrong state, or a guard stopped it */
  QUIETUS_EEXISTS = -7,       /* the name is taken */
  QUIETUS_ECONFLICT = -8,     /* compare-and-set: somebody else wrote first */
  QUIETUS_EWRONGKEY = -9,     /* the unlock secret is not the right one */
  QUIETUS_ECORRUPT = -10,     /* stored bytes are damaged or were tampered with */
  QUIETUS_EROLLEDBACK = -11,  /* an older copy of the store was put back; nothing was touched */
  QUIETUS_EUNVERIFIED = -12,  /* a certificate or log does not verify */
  QUIETUS_EBUSY = -13,        /* somebody else holds it; try again */
  QUIETUS_EFULL = -14,        /* disk or map exhausted; nothing was changed */
  QUIETUS_EUNAVAILABLE = -15, /* cannot be reached now; a write may or may not have happened */
  QUIETUS_EUNSUPPORTED = -16, /* of a newer version, or not offered here */
  QUIETUS_EINCOMPLETE = -17,  /* an erasure began, is recorded and will resume; never a success */
  QUIETUS_EIO = -18,          /* the operating system refused; state is as before */
  QUIETUS_EINTERNAL = -19,    /* a defect of the library, or no memory */
  QUIETUS_ECHANGED = -20      /* the object was replaced while it was read; read again */
};

/* "0.1.0". */
QUIETUS_EXPORT const char* quietus_version(void);
/* The name of an answer or error, "erased"; "unknown" for any other number. */
QUIETUS_EXPORT const char* quietus_code_name(int code);
/* A line about the last call of this thread that failed: what, where, what to do. No secrets,
 * contents, or names of scopes or records. Valid until the thread's next call; never NULL. */
QUIETUS_EXPORT const char* quietus_last_error(void);
QUIETUS_EXPORT int quietus_last_error_code(void); /* QUIETUS_OK: there was none yet */

/* ---- handles and callbacks ------------------------------------------------------------------- */

typedef struct quietus_vault_handle* quietus_vault; /* an open vault */
typedef struct quietus_scope_handle* quietus_scope; /* a scope of one */
typedef struct quietus_batch_handle* quietus_batch; /* writes to come */

/* Names the state of a record: changes with every write, never repeats. */
typedef struct quietus_record_version {
  uint8_t bytes[24];
} quietus_record_version;

/* Gets bytes. */
typedef int (*quietus_sink)(void* context, const uint8_t* data, size_t size);
/* Writes the next bytes, at most `capacity`, and has to set *size to how many; 0 at the end. */
typedef int (*quietus_source)(void* context, uint8_t* data, size_t capacity, size_t* size);

/* ---- vaults ---------------------------------------------------------------------------------- */

/* How a vault is unlocked: one of the two. */
typedef struct quietus_unlock {
  size_t size;
  const char* key_file;        /* as quietus_new_key_file() makes it */
  const char* passphrase_file; /* its first line is the passphrase */
} quietus_unlock;

typedef struct quietus_create_options { /* of a new vault */
  size_t size;
  const char* root_folder;    /* where the root slots lie; NULL: the default. No backup takes it */
  int insecure_root_in_vault; /* 1: the slots may lie in the vault's folder */
  int accept_unknown_medium;  /* 1: also on a file system not known to overwrite in place */
} quietus_create_options;

/* A line for your log: what was done or found besides the answer. The library writes no log. */
typedef void (*quietus_notice)(void* context, const char* line);
typedef struct quietus_open_options { /* of one that is there */
  size_t size;
  int read_only;
  int require_locked_memory;
  uint32_t acknowledgement_timeout_ms; /* of other processes, in an erasure; 0: 5,000 */
  uint32_t lock_timeout_ms;            /* 0: 10,000 */
  quietus_notice notice;
  void* notice_context;
} quietus_open_options;

/* Makes a key file of 256 random bits, mode 0600. Durable on return. EEXISTS; EIO. */
QUIETUS_EXPORT int quietus_new_key_file(const char* path);

/* In a folder that is absent or empty. Durable on return. EEXISTS; EREFUSED: needs an option. */
QUIETUS_EXPORT int quietus_create(const char* folder, const quietus_unlock* unlock,
                                  const quietus_create_options* options, quietus_vault* vault);
/* Opens one, and first finishes any erasure that was interrupted. ENOTFOUND; EWRONGKEY;
 * EROLLEDBACK; ECORRUPT; EERASED: the vault was destroyed; EUNSUPPORTED; EBUSY: this process has it
 * open. */
QUIETUS_EXPORT int quietus_open(const char* folder, const quietus_unlock* unlock,
                                const quietus_open_options* options, quietus_vault* vault);
/* Its scopes answer QUIETUS_EUNAVAILABLE from now on. */
QUIETUS_EXPORT int quietus_close(quietus_vault vault);

typedef struct quietus_status_info { /* a vault at a glance */
  size_t size;
  char vault_id[33];
  char assurance[256]; /* of the root slots, cut off if longer */
  uint64_t root_generation;
  uint64_t tenants;
  uint64_t log_size;
  uint64_t certificates;
  uint64_t pending_erasures;
  uint32_t processes; /* with this vault open, this one included */
  int read_only;
  int key_memory_locked;
  int64_t last_backup_ms;
} quietus_status_info;
QUIETUS_EXPORT int quietus_status(quietus_vault vault, quietus_status_info* info); /* fills it in */

typedef struct quietus_check_report { /* what was read, and is damaged */
  size_t size;
  uint64_t scopes;
  uint64_t records;
  uint64_t bytes; /* of content, authenticated */
  uint64_t log_entries;
  uint64_t damages;
} quietus_check_report;
/* `where` and `what` of each damage. Names no record. */
typedef int (*quietus_damage_visit)(void* context, const char* where, const char* what);
/* Authenticates every stored byte; does not stop at the first damage. `visit` may be NULL. */
QUIETUS_EXPORT int quietus_check(quietus_vault vault, quietus_damage_visit visit, void* context,
                                 quietus_check_report* report);

/* ---- scopes ---------------------------------------------------------------------------------- */

/* A scope owns one key and is what can be erased. It is written as a path: "acme",
 * "acme/customer-data", "acme/customer-data/user-7". */
typedef struct quietus_scope_options {
  size_t size;
  const char* data_class;          /* NULL: by the path */
  const char* const* derived_from; /* paths: dies with any of them */
  size_t derived_from_count;
} quietus_scope_options;

typedef struct quietus_scope_info { /* what is known of a scope */
  size_t size;
  const char* path; /* empty when erased: the name went with the key */
  const char* data_class;
  const char* state; /* "active", "erased", "suspended", … */
  uint64_t id;       /* what logs and certificates call it, as 16 hex digits */
  int64_t created_ms;
  int64_t erased_ms;
} quietus_scope_info;
typedef int (*quietus_scope_visit)(void* context, const quietus_scope_info* info);

/* The parent must exist. Durable on return. `scope` may be NULL. EEXISTS; EERASED: the name once
 * belonged to an erased scope, and is not given out again. */
QUIETUS_EXPORT int quietus_create_scope(quietus_vault vault, const char* path,
                                        const quietus_scope_options* options, quietus_scope* scope);
/* ENOTFOUND; EERASED. */
QUIETUS_EXPORT int quietus_open_scope(quietus_vault vault, const char* path, quietus_scope* scope);
/* Of a restricted scope, for a lawful use: "consent", "legal-claims", "rights-of-others",
 * "public-interest". Each call through it is logged. */
QUIETUS_EXPORT int quietus_open_restricted(quietus_vault vault, const char* path, const char* use,
                                           quietus_scope* scope);
QUIETUS_EXPORT int quietus_close_scope(quietus_scope scope);            /* once */
QUIETUS_EXPORT int quietus_scope_id(quietus_scope scope, uint64_t* id); /* its random id */
/* Shows one scope, or those directly below one (tenants: ""). */
QUIETUS_EXPORT int quietus_describe(quietus_vault vault, const char* path,
                                    quietus_scope_visit visit, void* context);
QUIETUS_EXPORT int quietus_children(quietus_vault vault, const char* path,
                                    quietus_scope_visit visit, void* context); /* as well */

/* ---- records --------------------------------------------------------------------------------- */

/* Errors of all: EERASED once the scope, or what it depends on, was erased; ERESTRICTED; EREFUSED:
 * its key's state does not allow it; EHELD; ECORRUPT; EUNAVAILABLE; EIO. Names are 1 to 1,024 bytes
 * without control characters. */

typedef struct quietus_put_options { /* of one write */
  size_t size;
  const char* content_type;               /* at most 255 bytes; NULL: none */
  const quietus_record_version* expected; /* only if it has that version now, else ECONFLICT */
  int must_be_new;                        /* 1: only if there is none, else ECONFLICT */
} quietus_put_options;

typedef struct quietus_record_info { /* a record without its content */
  size_t size;
  const char* name;
  const char* content_type;
  uint64_t bytes;
  int64_t modified_ms;
  quietus_record_version version;
} quietus_record_info;
typedef int (*quietus_record_visit)(void* context, const quietus_record_info* info);

/* Stores a record, or replaces it. Durable on return. `version` may be NULL. EFULL. */
QUIETUS_EXPORT int quietus_put(quietus_scope scope, const char* name, const void* data, size_t size,
                               const quietus_put_options* options, quietus_record_version* version);
/* Of any size, in constant memory; it appears, whole, when this returns. EBUSY: begin again. */
QUIETUS_EXPORT int quietus_put_stream(quietus_scope scope, const char* name, quietus_source source,
                                      void* context, const quietus_put_options* options,
                                      quietus_record_version* version);
/* QUIETUS_ABSENT: there is none. After an error of reading the buffer is zero. */
QUIETUS_EXPORT int quietus_get(quietus_scope scope, const char* name, void* buffer, size_t capacity,
                               size_t* size);
/* Shows the content once, and wipes it when the callback has returned. */
QUIETUS_EXPORT int quietus_get_view(quietus_scope scope, const char* name, quietus_sink view,
                                    void* context);
/* Piece by piece, each authenticated before it is handed out. ECHANGED: replaced meanwhile. */
QUIETUS_EXPORT int quietus_get_stream(quietus_scope scope, const char* name, quietus_sink sink,
                                      void* context);
QUIETUS_EXPORT int quietus_stat(quietus_scope scope, const char* name, quietus_record_visit visit,
                                void* context); /* shows all but the content */
/* QUIETUS_ABSENT: there was none. Durable on return. `expected` may be NULL. The old content stays
 * readable for who has the scope's key and an old copy, until the key is renewed or erased. */
QUIETUS_EXPORT int quietus_remove(quietus_scope scope, const char* name,
                                  const quietus_record_version* expected);
/* Every record whose name begins so, in no order. */
QUIETUS_EXPORT int quietus_list(quietus_scope scope, const char* prefix, quietus_record_visit visit,
                                void* context);

/* Writes that happen together or not at all. What goes in is copied. For one thread at a time. */
QUIETUS_EXPORT int quietus_new_batch(quietus_batch* batch);
QUIETUS_EXPORT int quietus_batch_put(quietus_batch batch, const char* name, const void* data,
                                     size_t size, const quietus_put_options* options); /* a put */
QUIETUS_EXPORT int quietus_batch_remove(quietus_batch batch, const char* name); /* likewise */
/* Durable on return. The batch can be written again. */
QUIETUS_EXPORT int quietus_write(quietus_scope scope, quietus_batch batch);
QUIETUS_EXPORT int quietus_close_batch(quietus_batch batch); /* once */

/* Envelope encryption of data that is kept elsewhere; the token is unrecoverable with the scope. */
QUIETUS_EXPORT int quietus_seal(quietus_scope scope, const void* data, size_t data_size,
                                void* token, size_t capacity, size_t* size);
/* EINVALID: no token; EREFUSED: of another vault or scope; ECORRUPT. */
QUIETUS_EXPORT int quietus_unseal(quietus_scope scope, const void* token, size_t token_size,
                                  void* data, size_t capacity, size_t* size);
/* Stands for a value: the same for the same value, for ever; another in every scope. */
QUIETUS_EXPORT int quietus_pseudonym(quietus_scope scope, const void* value, size_t size,
                                     uint8_t pseudonym[16]);

/* ---- the end of data ------------------------------------------------------------------------- */

/* What opens a certificate's commitment to whose scope it was. A tenant's is kept nowhere else. */
typedef struct quietus_subject {
  uint64_t scope_id;
  const char* path;
  const char* salt; /* 64 hex digits */
} quietus_subject;

typedef struct quietus_erasure { /* one that is done */
  size_t size;
  const char* erasure_id;     /* 32 hex digits */
  const char* certificate_id; /* 32 hex digits */
  const char* certificate;    /* the signed document */
  size_t certificate_size;
  const quietus_subject* subjects;
  size_t subject_count;
} quietus_erasure;
typedef int (*quietus_erasure_visit)(void* context, const quietus_erasure* erasure);

/* Destroys the keys of the scopes, all in one root change, and certifies it. `reason` is a code
 * ("contract-ended", "deletion-request", …) or free text. QUIETUS_OK only when the old root slot
 * was read back as gone and every process has dropped the keys, whatever `visit` (or NULL) answers.
 * EHELD; EREFUSED: the vault is governed. EINCOMPLETE: begun and recorded, it will resume.
 * EUNAVAILABLE, EINTERNAL: look whether it began. Any other error: nothing was destroyed. */
QUIETUS_EXPORT int quietus_erase(quietus_vault vault, const char* const* paths, size_t count,
                                 const char* reason, quietus_erasure_visit visit, void* context);
/* Finishes erasures that are pending, without subjects. EINCOMPLETE when some remain. */
QUIETUS_EXPORT int quietus_resume(quietus_vault vault, quietus_erasure_visit visit, void* context);

/* When an erasure that was asked for is made. */
typedef int (*quietus_appointment_visit)(void* context, const char* path, int64_t when_ms);
/* Restricts the scopes at once; a sweep destroys their keys after the grace of their class. */
QUIETUS_EXPORT int quietus_schedule_erasure(quietus_vault vault, const char* const* paths,
                                            size_t count, const char* reason,
                                            quietus_appointment_visit visit, void* context);
QUIETUS_EXPORT int quietus_cancel_erasure(quietus_vault vault, const char* const* paths,
                                          size_t count); /* takes that back */

/* A new retention policy. EINVALID names the line; EREFUSED: the notice period; EEXISTS. */
QUIETUS_EXPORT int quietus_apply_policy(quietus_vault vault, const char* toml);
/* The agreement ends then; from that day on nothing is written, and rules count from it. */
QUIETUS_EXPORT int quietus_terminate(quietus_vault vault, const char* path, int64_t effective_ms);
QUIETUS_EXPORT int quietus_cancel_termination(quietus_vault vault, const char* path); /* undone */
/* Consent was withdrawn, or somebody opted out, then. */
QUIETUS_EXPORT int quietus_withdraw_consent(quietus_vault vault, const char* path, int64_t when_ms);

typedef struct quietus_sweep_options { /* how much may end */
  size_t size;
  int dry_run;
  uint64_t max_scopes; /* 0: 1,000 or a tenth of all, whichever is less, and 10 always */
} quietus_sweep_options;
typedef struct quietus_sweep_report { /* what ended */
  size_t size;
  uint64_t scopes; /* that ended, or would */
  uint64_t limit;
  uint64_t kept; /* whose day has come: held, restricted, to be reviewed */
  uint64_t holds_ended;
  uint64_t terms_ended;
  uint64_t keys_retired;
} quietus_sweep_report;
/* Erases what is due by the policy. EREFUSED: the clock cannot be believed, or more would end than
 * may; nothing was destroyed. EINCOMPLETE as quietus_erase(). `visit` may be NULL. */
QUIETUS_EXPORT int quietus_sweep(quietus_vault vault, const quietus_sweep_options* options,
                                 quietus_sweep_report* report, quietus_erasure_visit visit,
                                 void* context);

/* ---- keys and holds -------------------------------------------------------------------------- */

/* Reasons are codes (docs/lifecycle.md); EINVALID lists them. */
QUIETUS_EXPORT int quietus_suspend(quietus_vault vault, const char* path, const char* reason);
/* Lifts that. */
QUIETUS_EXPORT int quietus_unsuspend(quietus_vault vault, const char* path, const char* reason);
/* Ends writing; reads go on. */
QUIETUS_EXPORT int quietus_deactivate(quietus_vault vault, const char* path, const char* reason);
/* A new key, beside reads and writes; the old one stays for backups until nothing needs it. */
QUIETUS_EXPORT int quietus_rotate(quietus_vault vault, const char* path, const char* reason);
/* The same, and the old key is destroyed: what was removed or replaced is unrecoverable. */
QUIETUS_EXPORT int quietus_purge(quietus_vault vault, const char* path, const char* reason);
/* Keeps the scope and all below from being erased, overwritten or removed. `authority` is free
 * text, sealed, or NULL; until_ms 0: until it is released. */
QUIETUS_EXPORT int quietus_place_hold(quietus_vault vault, const char* path, const char* reason,
                                      const char* authority, int64_t until_ms, char id[33]);
QUIETUS_EXPORT int quietus_release_hold(quietus_vault vault, const char* id); /* lifts it */

/* ---- evidence -------------------------------------------------------------------------------- */

typedef int (*quietus_certificate_visit)(void* context, const char* id, const char* status,
                                         int64_t issued_ms); /* is shown one */
QUIETUS_EXPORT int quietus_certificates(quietus_vault vault, quietus_certificate_visit visit,
                                        void* context); /* shows all of them */
/* By its id, or of an erased scope by its path or 16-digit id. ENOTFOUND. */
QUIETUS_EXPORT int quietus_certificate(quietus_vault vault, const char* id, char* buffer,
                                       size_t capacity, size_t* size);
QUIETUS_EXPORT int quietus_certificate_of(quietus_vault vault, const char* scope, char* buffer,
                                          size_t capacity, size_t* size); /* by its scope */
/* The public half of the issuing key. */
QUIETUS_EXPORT int quietus_issuing_key_pem(quietus_vault vault, char* buffer, size_t capacity,
                                           size_t* size);

typedef struct quietus_verified { /* what a valid one says */
  size_t size;
  const char* certificate_id;
  const char* vault_id;
  const char* status;     /* "complete", "partial", "pending-snapshots" */
  const char* decided_by; /* "single-user", "policy", "approval", "unknown" */
  const char* reason;
  int64_t slot_destroyed_ms;
  const uint64_t* scope_ids;
  size_t scope_count;
} quietus_verified;
typedef int (*quietus_verified_visit)(void* context, const quietus_verified* verified);
/* Needs no vault and no network. EUNVERIFIED says what does not hold. `visit` may be NULL. */
QUIETUS_EXPORT int quietus_verify_certificate(const void* file, size_t size, const char* issuer_pem,
                                              quietus_verified_visit visit, void* context);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
}
#endif

#endif
