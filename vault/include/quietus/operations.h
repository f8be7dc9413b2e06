/* Quietus from C: what moves data in and out, backups, and the requests of a governed vault. The
 * conventions are those of quietus.h. Rings, restores, drills and operators are matters of the
 * command `quietus` (docs/operations.md) and of the C++ interface.
 */
#ifndef QUIETUS_OPERATIONS_H
#define QUIETUS_OPERATIONS_H

#include <quietus/quietus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): names as C has them */

/* Called now and then: done so far, and in all (0: not known). Anything but 0 stops the call. */
typedef int (*quietus_progress)(void* context, uint64_t done, uint64_t total);

/* ---- import and export ----------------------------------------------------------------------- */

typedef struct quietus_transfer_report { /* what was moved */
  size_t size;
  uint64_t records; /* that were moved, and stay so */
  uint64_t bytes;   /* of their content */
  uint64_t skipped; /* links, devices, sockets */
  uint64_t failed;
  int recorded; /* an export: in the evidence log */
} quietus_transfer_report;
/* One that was skipped (`code` is QUIETUS_OK) or that failed, and why. */
typedef int (*quietus_transfer_visit)(void* context, const char* name, int code, const char* why);

/* Each moves a scope's own records, one JSON object a line: {"name": text, "value": base64,
 * "content_type": text}, the last one optional. QUIETUS_OK only when all were moved; otherwise
 * *report says how many were, `visit` is shown the others, and the answer is the error that stopped
 * it, or else that of the first that failed. `visit` and `report` may be NULL. */
QUIETUS_EXPORT int quietus_import_ndjson(quietus_scope scope, quietus_source source, void* context,
                                         quietus_transfer_visit visit, void* visit_context,
                                         quietus_transfer_report* report);
/* The scope by its path, since it is logged. `use`: of a restricted scope, as
 * quietus_open_restricted(); NULL else. EREFUSED: the vault is governed, and no request that was
 * executed allows it. */
QUIETUS_EXPORT int quietus_export_ndjson(quietus_vault vault, const char* path, const char* use,
                                         quietus_sink sink, void* context,
                                         quietus_transfer_report* report);

/* ---- backups (docs/backup.md) ---------------------------------------------------------------- */

typedef struct quietus_backup { /* as the inventory tells of it */
  size_t size;
  const char* id; /* 32 hex digits */
  int64_t begun_ms;
  int64_t made_ms; /* 0: it was not finished, as far as is known */
  int64_t expires_ms;
  int64_t needed_until_ms; /* later while others hold changes since this one */
  uint64_t records;
  uint64_t bytes;
  const char* epoch_id; /* that opens its key snapshot; empty: it has none */
  int64_t epoch_expires_ms;
  const char* manifest_sha256; /* 64 hex digits */
  const char* base_id;         /* of one that holds only changes; empty: complete */
} quietus_backup;
/* Shown one. */
typedef int (*quietus_backup_visit)(void* context, const quietus_backup* backup);

typedef struct quietus_backup_options { /* of one to be made */
  size_t size;
  const char* keep;    /* "30d", "6m", "1y"; NULL: by the policy, or 30 days */
  quietus_source base; /* an earlier, complete backup: only changes since; NULL: complete */
  void* base_context;
  quietus_progress progress; /* of bytes; NULL: none */
  void* progress_context;
} quietus_backup_options;

/* Hands a backup to `sink`, beside reads and writes. What the sink got is one when this returns
 * QUIETUS_OK, and is to be thrown away otherwise. `visit` may be NULL; what it answers does not
 * matter. EINVALID: `keep`; EREFUSED: read-only, or a base that does not do. */
QUIETUS_EXPORT int quietus_back_up(quietus_vault vault, quietus_sink sink, void* context,
                                   const quietus_backup_options* options,
                                   quietus_backup_visit visit, void* visit_context);
/* A key snapshot alone, for the recovery site. EREFUSED: there is no ring, or no open epoch. */
QUIETUS_EXPORT int quietus_snapshot_keys(quietus_vault vault, quietus_sink sink, void* context,
                                         quietus_backup_visit visit, void* visit_context);

typedef struct quietus_backup_report { /* what opens */
  size_t size;
  uint64_t records; /* in it, with its base */
  uint64_t opened;  /* with the keys of now */
  uint64_t erased;  /* of scopes that were erased */
  uint64_t purged;  /* of keys that a purge or the end of a rotation destroyed */
  uint64_t missing; /* no key of theirs is known, which should not be */
  uint64_t damaged;
} quietus_backup_report;
/* Reads one to its end and opens what opens. `base` is for an incremental one, else NULL.
 * QUIETUS_OK only when nothing is missing or damaged; else ECORRUPT, with the report. Also
 * ECORRUPT: cut short; EUNVERIFIED: not what its manifest says; EREFUSED: of another vault. */
QUIETUS_EXPORT int quietus_verify_backup(quietus_vault vault, quietus_source backup, void* context,
                                         quietus_source base, void* base_context,
                                         quietus_backup_report* report);
/* Every one that was ever begun and not dropped. */
QUIETUS_EXPORT int quietus_backups(quietus_vault vault, quietus_backup_visit visit, void* context);
/* Its file was removed before its day: nothing is kept for it any more. EREFUSED: others need it.
 */
QUIETUS_EXPORT int quietus_forget_backup(quietus_vault vault, const char* id);
/* A receipt of the recovery site: certificates that waited for it are issued anew. EUNVERIFIED. */
QUIETUS_EXPORT int quietus_import_receipt(quietus_vault vault, const char* receipt);

/* ---- who acts, and requests (docs/governance.md) --------------------------------------------- */

typedef struct quietus_operator { /* somebody who may act */
  size_t size;
  const char* name;
  const char* const* roles; /* "admin", "operator", "approver", "verifier", "auditor" */
  size_t role_count;
  const char* keys; /* text of a .pub, authorized_keys or allowed_signers file */
  int64_t from_ms;
  int64_t until_ms;
} quietus_operator;
/* As quietus_create(), and governed from the beginning, for ever, with this first admin. */
QUIETUS_EXPORT int quietus_create_governed(const char* folder, const quietus_unlock* unlock,
                                           const quietus_create_options* options,
                                           const quietus_operator* first, quietus_vault* vault);
/* A text that the operator signs (ssh-keygen -Y sign -n act@quietus) to show who acts through this
 * handle. Each call makes another; the last one counts, for one quietus_act(). 4,096 bytes do. */
QUIETUS_EXPORT int quietus_challenge(quietus_vault vault, const char* name, const char* action,
                                     char* buffer, size_t capacity, size_t* size);
/* From now on this handle acts for them, with that duty (docs/roles.md). EUNVERIFIED; EREFUSED. */
QUIETUS_EXPORT int quietus_act(quietus_vault vault, const char* signature, const char* duty);

typedef struct quietus_request_spec { /* to be opened */
  size_t size;
  const char* kind; /* "termination", "deletion", … (docs/governance.md) */
  const char* const* scopes;
  size_t scope_count;
  const char* reason;         /* a code */
  const char* contact;        /* how to answer who asked; sealed; NULL: none */
  const char* const* records; /* of a correction: which */
  size_t record_count;
} quietus_request_spec;
typedef struct quietus_request { /* as it is now */
  size_t size;
  const char* id; /* 32 hex digits */
  const char* kind;
  const char* state; /* "open", "verified", "approved", "executing", "done", … */
  const char* const* scopes;
  size_t scope_count;
  const char* reason;
  const char* contact; /* for who takes requests down or verifies them; empty else */
  int64_t opened_ms;
  int64_t deadline_ms;
  int overdue;
  uint64_t approvals;
  const char* missing;    /* what the plan still needs; empty: nothing, or there is no plan */
  const char* erasure_id; /* of its execution */
  int64_t ended_ms;
  const quietus_subject* subjects; /* of a deletion, from quietus_execute_request() only */
  size_t subject_count;
} quietus_request;
/* Shown one. */
typedef int (*quietus_request_visit)(void* context, const quietus_request* request);

/* What `visit` answers matters to quietus_requests() alone; elsewhere it is done, and it may be
 * NULL. Who acts needs the duty (quietus_act()), else EREFUSED. Durable on return. */
QUIETUS_EXPORT int quietus_open_request(quietus_vault vault, const quietus_request_spec* request,
                                        quietus_request_visit visit, void* context);
/* Adds that operator, or changes the one of that name, once it is approved and executed. */
QUIETUS_EXPORT int quietus_propose_operator(quietus_vault vault, const quietus_operator* person,
                                            quietus_request_visit visit, void* context);
/* How who asked was identified. */
typedef struct quietus_evidence {
  size_t size;
  const char* method; /* a code: "signed-letter", "logged-in", … (docs/governance.md) */
  const void* data;   /* is hashed and not kept */
  size_t data_size;
} quietus_evidence;
/* The statement that the verifier signs (verify@quietus). */
QUIETUS_EXPORT int quietus_verification(quietus_vault vault, const char* id,
                                        const quietus_evidence* evidence, char* buffer,
                                        size_t capacity, size_t* size);
/* Takes the statement and its signature. EUNVERIFIED; EREFUSED. */
QUIETUS_EXPORT int quietus_verify_request(quietus_vault vault, const char* id,
                                          const char* statement, const char* signature,
                                          quietus_request_visit visit, void* context);
/* What approvers sign (approve@quietus): the same until it expires, or is not what would happen. */
QUIETUS_EXPORT int quietus_request_plan(quietus_vault vault, const char* id, char* buffer,
                                        size_t capacity, size_t* size);
/* EUNVERIFIED; EREFUSED: who may not, twice by one person or key, expired, or changed meanwhile. */
QUIETUS_EXPORT int quietus_approve_request(quietus_vault vault, const char* id,
                                           const char* signature, quietus_request_visit visit,
                                           void* context);
/* Does what was approved. EREFUSED: approvals are missing; EINCOMPLETE: call it again. Access,
 * portability and correction only become allowed, to this handle. */
QUIETUS_EXPORT int quietus_execute_request(quietus_vault vault, const char* id,
                                           quietus_request_visit visit, void* context);
/* What execution allowed was done. */
QUIETUS_EXPORT int quietus_complete_request(quietus_vault vault, const char* id);
/* A later deadline, and why. EREFUSED. */
QUIETUS_EXPORT int quietus_extend_request(quietus_vault vault, const char* id, int64_t deadline_ms,
                                          const char* reason);
/* Ends it: it is not granted. EREFUSED: it has ended, or is being executed. */
QUIETUS_EXPORT int quietus_reject_request(quietus_vault vault, const char* id, const char* reason);
/* The same, by who takes it back. */
QUIETUS_EXPORT int quietus_cancel_request(quietus_vault vault, const char* id);
/* One of them by its id, or all with NULL. */
QUIETUS_EXPORT int quietus_requests(quietus_vault vault, const char* id,
                                    quietus_request_visit visit, void* context);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
}
#endif

#endif
