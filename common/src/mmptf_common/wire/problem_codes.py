"""Every code of a problem or of one of its errors, with its HTTP statuses, its meaning, and what the caller does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class ProblemCode(StrEnum):
    """What kind of problem or error it is, for programs; `/problems/{code}` says what to do about each.

    Codes may be added: treat one that you do not know by the HTTP status alone.
    """

    # Each member is its text, the statuses of the answers that have it as their code or in `errors` (but for the rows
    # of a batch, which have those that they would have had alone), what it means and when it comes, what to do.
    statuses: tuple[int, ...]
    meaning: str
    remedy: str

    def __new__(cls, code: str, statuses: tuple[int, ...], meaning: str, remedy: str) -> ProblemCode:
        member = str.__new__(cls, code)
        member._value_ = code
        member.statuses, member.meaning, member.remedy = statuses, meaning, remedy
        return member

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The JSON Schema of the codes, with the meaning of each in its description."""
        # Imported here: the process that reads an uploaded file has codes and needs no contract.
        import inspect

        schema = handler(core_schema)
        meanings = "\n".join(f"- `{code}`: {code.meaning}" for code in cls)
        handler.resolve_ref_schema(schema)["description"] = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{meanings}"
        return schema

    # The request as HTTP
    BAD_REQUEST = (
        "bad_request",
        (400,),
        "The request breaks the rules of HTTP/1.1, in its head or in the framing of its body.",
        "Send it with an HTTP library, unchanged; where a proxy is between, look at what it adds.",
    )
    METHOD_NOT_ALLOWED = (
        "method_not_allowed",
        (405,),
        "The path is there and does not take this method; `Allow` names those that it takes.",
        "Use one of the methods of `Allow`, or the operation that `detail` names.",
    )
    METHOD_NOT_IMPLEMENTED = (
        "method_not_implemented",
        (501,),
        "The method is none of HTTP, or one that no path of the suite takes.",
        "Use a method that the contract has, in capital letters.",
    )
    HEAD_TOO_LARGE = (
        "head_too_large",
        (431,),
        "The request line and the headers are together larger than the server reads.",
        "Send fewer or shorter values and headers; ask for many codes in several requests.",
    )
    TOO_MANY_REQUESTS = (
        "too_many_requests",
        (429,),
        "The address, or the holder of the access token, has sent as many requests of this kind as are answered in a"
        " minute; `RateLimit-Policy` states the limit, and `detail` the kind.",
        "Wait for the seconds of `Retry-After`. Larger pages, exports, and `/changes` with `wait` need fewer requests.",
    )
    REQUEST_TIMEOUT = (
        "request_timeout",
        (408,),
        "The head or the body of the request arrived more slowly than the server waits; `detail` names the limit.",
        "Send it again on a new connection; a batch in several requests where the network is slow.",
    )
    PAYLOAD_TOO_LARGE = (
        "payload_too_large",
        (413,),
        "The body has more bytes than this path takes; `detail` names the limit.",
        "Send less at once, a batch in several requests.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported_media_type",
        (415,),
        "The body is of a media type that this path does not take, of none, or compressed.",
        "State the media type of the contract in `Content-Type`, and send no `Content-Encoding`.",
    )
    NOT_ACCEPTABLE = (
        "not_acceptable",
        (406,),
        "`Accept` names no representation that this path has; `detail` names those that it has.",
        "Name one of them in `Accept` or `format`, or leave both out.",
    )

    # Who asks
    TOKEN_MISSING = (
        "token_missing",
        (401,),
        "The operation needs an access token, and none was sent.",
        "Send `Authorization: Bearer <token>` with a token of the operator's identity provider.",
    )
    TOKEN_INVALID = (
        "token_invalid",
        (401,),
        "The access token is not of the expected issuer or audience, or its form, claims or signature are not valid.",
        "Get a token for the audience that the operator names; `detail` says what is wrong with this one.",
    )
    TOKEN_EXPIRED = (
        "token_expired",
        (401,),
        "The access token has expired: the time in its claim `exp` has passed.",
        "Get a new token and send the request again.",
    )
    TOKEN_NOT_YET_VALID = (
        "token_not_yet_valid",
        (401,),
        "The access token is not valid yet: the time in its claim `nbf` or `iat` is still to come.",
        "Wait until then; where that is now, compare the clocks of the issuer and of this server.",
    )
    INSUFFICIENT_SCOPE = (
        "insufficient_scope",
        (403,),
        "The access token has none of the scopes that the operation needs; `WWW-Authenticate` names them.",
        "Ask for a token with one of these scopes.",
    )
    ORGANIZATION_NOT_KNOWN = (
        "organization_not_known",
        (403,),
        "The access token names no organization to write for, or one that is not listed under this code.",
        "Have the identity provider put the organization's code, as it is listed, into the token.",
    )
    IDENTITY_NOT_CONFIGURED = (
        "identity_not_configured",
        (403,),
        "The operation needs an access token, and the operator has configured no identity provider: nobody can write.",
        "Ask the operator; another token does not help.",
    )
    FORBIDDEN = (
        "forbidden",
        (403,),
        "The access token is valid, but this is for another role or organization to do, as `detail` says.",
        "Have it done by someone who may, or with a token that has the role.",
    )

    # What there is
    NOT_FOUND = (
        "not_found",
        (404,),
        "Nothing is at this path: no such record, or no such operation. `errors` says what was probably meant.",
        "Correct the code or the path; the list that it belongs to, or the contract, has those that exist.",
    )
    UNKNOWN_PATH = (
        "unknown_path",
        (404,),
        "The path is not one of an operation, and resembles one that is; that is the `suggestion`.",
        "Use the path of the suggestion.",
    )
    UNKNOWN_CODE = (
        "unknown_code",
        (404, 422),
        "A value is none of those that are listed. `allowed` names them, or says where they are listed;"
        " `suggestion` is the one that was most likely meant.",
        "Send one of the listed values.",
    )
    UNKNOWN_REVISION = (
        "unknown_revision",
        (422,),
        "`as_of` names a revision higher than the last one, or a moment in the future.",
        "Name one up to now; each answer states its `revision`.",
    )

    # Query parameters
    UNKNOWN_PARAMETER = (
        "unknown_parameter",
        (422,),
        "The operation has no parameter of this name; `allowed` names those that it has.",
        "Correct the name, or leave the parameter out.",
    )
    REPEATED_PARAMETER = (
        "repeated_parameter",
        (422,),
        "A parameter that takes one value has several.",
        "Send one value.",
    )
    TOO_MANY_PARAMETERS = (
        "too_many_parameters",
        (422,),
        "The query has more parameters than are read.",
        "Ask in several requests.",
    )
    INVALID_PARAMETER = (
        "invalid_parameter",
        (422,),
        "The value of a parameter is not of the form that it takes: no number, no day, too long, empty, or values that"
        " something else than commas separates.",
        "Send a value as `allowed` or `detail` describes it.",
    )
    INVALID_CHARACTERS = (
        "invalid_characters",
        (422,),
        "The value of a parameter has wildcards (%), control characters or bytes that are not UTF-8.",
        "Leave them out, and encode the query as UTF-8.",
    )
    INVALID_SEARCH = (
        "invalid_search",
        (422,),
        "The text of `q` cannot be searched for, such as a quotation mark without its second one.",
        "Change the text as `detail` says.",
    )
    INVALID_CURSOR = (
        "invalid_cursor",
        (422,),
        "`cursor` is not from `next` of this list with the same filters and order, or was changed.",
        "Follow `next` of the page before as it is, or begin without a cursor.",
    )

    # Bodies, and rows of a batch
    INVALID_JSON = (
        "invalid_json",
        (400,),
        "The body is no JSON: its syntax, encoding, numbers or depth of nesting cannot be read.",
        "Write the body with a JSON library, as UTF-8.",
    )
    INVALID_TYPE = (
        "invalid_type",
        (422,),
        "A member is of another JSON type than the contract gives it, such as a number for an amount.",
        "Send the type that `detail` names; amounts and shares are strings.",
    )
    INVALID_VALUE = (
        "invalid_value",
        (422,),
        "A member of a body, or a cell of a file, is of the right type and not of the form or size that is expected.",
        "Send a value as `detail` describes it.",
    )
    INVALID_RANGE = (
        "invalid_range",
        (422,),
        "The end of a range or of a period is before its beginning.",
        "Change one of the two.",
    )
    MISSING_MEMBER = (
        "missing_member",
        (422,),
        "A member is absent or empty, and is needed: by the contract, by another value that was sent, or, in a record"
        " that is submitted or approved, for that step.",
        "State the member that `pointer` names; in a draft or a record, amend that first.",
    )
    UNKNOWN_MEMBER = (
        "unknown_member",
        (422,),
        "An object of the body has a member that the contract does not know; `allowed` names those that it takes.",
        "Correct the name, or leave the member out.",
    )
    REPEATED_MEMBER = (
        "repeated_member",
        (422,),
        "An object of the body has a member twice, and readers of JSON differ in which one counts.",
        "Send it once.",
    )
    REPEATED_CODE = (
        "repeated_code",
        (422,),
        "A list in a body or a cell has the same code twice.",
        "Name it once.",
    )
    NOT_APPLICABLE = (
        "not_applicable",
        (422,),
        "A value is stated that does not go with the others, such as a year where none is taken.",
        "Leave it out, or change what it contradicts; `allowed` says what is taken there.",
    )
    RESERVED = (
        "reserved",
        (422,),
        "The code of a new record is a word that has a meaning of its own here, such as `shared`, `not_stated` or"
        " `totals`.",
        "Choose another code.",
    )
    BATCH_REFUSED = (
        "batch_refused",
        (422,),
        "Some rows of a batch are refused, so none was written; `errors` has all errors of all rows, with their"
        " places.",
        "Correct these rows, or send `partial=true` to write the others.",
    )

    # Writing
    IDEMPOTENCY_KEY_MISSING = (
        "idempotency_key_missing",
        (400,),
        "A POST that writes came without `Idempotency-Key`.",
        "Send a text of your own, such as a UUID, another one for each write and the same for its repetition.",
    )
    IDEMPOTENCY_KEY_INVALID = (
        "idempotency_key_invalid",
        (400,),
        "`Idempotency-Key` is too long, has other characters than are taken, or was sent twice.",
        "Send one text of 1 to 128 letters, digits and . _ : ~ + / = -",
    )
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        (422,),
        "Another write was sent with this `Idempotency-Key` before; this one was not carried out.",
        "Send a new write with a new key, and a repetition exactly as it was.",
    )
    NOT_AN_ETAG = (
        "not_an_etag",
        (400,),
        "`If-Match`, or the `etag` of a row, is no ETag of a service.",
        "Send the `ETag` of the record as it was answered, in its quotation marks.",
    )
    PRECONDITION_REQUIRED = (
        "precondition_required",
        (428,),
        "A change came without `If-Match`, so it could overwrite what the caller has not seen.",
        "Read the record and send its `ETag` as `If-Match`.",
    )
    PRECONDITION_FAILED = (
        "precondition_failed",
        (412,),
        "The record has changed since the caller read it, or the service was upgraded; nothing was written. In a batch"
        " it is the error of a row, whose own status is 412.",
        "Read the record again, decide what of the change still holds, and send it with the new `ETag`.",
    )
    CODE_TAKEN = (
        "code_taken",
        (409, 422),
        "Another record has or had this code, perhaps in another case, or the code had another meaning before; in a"
        " file it is the error of a row.",
        "Choose another code, or amend the record that has it.",
    )
    BEYOND_LAST_CHANGE = (
        "beyond_last_change",
        (409,),
        "`after` is higher than the `seq` of the last change: the data were restored to an earlier state.",
        "Drop the copy and begin again with `after=0`.",
    )

    # Days and sums
    IN_THE_FUTURE = (
        "in_the_future",
        (422,),
        "A day is after today, or after the day that it may not be later than.",
        "State the day on which it happened, once it has.",
    )
    TOO_EARLY = (
        "too_early",
        (422,),
        "A day is before, or not after, the one that it has to follow, such as the last change of the status.",
        "State a day as `allowed` says.",
    )
    SHARES_INCOMPLETE = (
        "shares_incomplete",
        (422,),
        "Some places of a programme have a share, and others have none.",
        "State the share of each place, or of none.",
    )
    SHARES_DO_NOT_ADD_UP = (
        "shares_do_not_add_up",
        (422,),
        "The shares of the places of a programme do not add up to 100.00.",
        "Correct the shares; what they add up to is in `detail`.",
    )
    BUDGET_DOES_NOT_ADD_UP = (
        "budget_does_not_add_up",
        (422,),
        "The lines of a budget do not add up to the budget.",
        "Correct the lines or the budget.",
    )
    OUTSIDE_THE_DURATION = (
        "outside_the_duration",
        (422,),
        "A budget line is of a year in which the programme does not run.",
        "Correct the year, or the duration.",
    )
    INDIRECT_COSTS_TOO_HIGH = (
        "indirect_costs_too_high",
        (422,),
        "The indirect costs of an organization are a larger part of its direct costs than the Fund accepts.",
        "Lower them to the amount in `allowed`.",
    )
    NOT_TAKING_PART = (
        "not_taking_part",
        (422,),
        "An organization is named that takes no part in the programme; `allowed` names those that do.",
        "Name one of them, or add the organization to the programme.",
    )
    STATUS_DOES_NOT_ALLOW = (
        "status_does_not_allow",
        (422,),
        "The programme had a status on the day of the ledger entry that does not allow an entry of this kind; `allowed`"
        " names the statuses that do.",
        "Correct the day or the programme; where the status itself is wrong, have it changed in the catalogue first.",
    )
    FIGURE_DIFFERS = (
        "figure_differs",
        (422,),
        "A figure that is certified is not the one that the ledger has; `detail` has both.",
        "Correct the figure, or what is wrong in the ledger.",
    )
    AMOUNT_DOES_NOT_FOLLOW = (
        "amount_does_not_follow",
        (422,),
        "The amount in US dollars is not the original one at its rate of exchange, or instalments are not the whole.",
        "Correct the amount, the original, the rate or the instalments.",
    )
    DOES_NOT_FOLLOW = (
        "does_not_follow",
        (422,),
        "The ledger entry that this one is said to follow, or that follows it, is of another kind, contributor,"
        " currency or rate, or was reversed or replaced.",
        "Name the pledge or the commitment that this entry follows, and what it has in common with it as it is there.",
    )

    # The present state of a record
    TRANSITION_NOT_ALLOWED = (
        "transition_not_allowed",
        (409,),
        "The status that is asked for may not follow the present one of the programme or of the accounting period;"
        " `allowed` names those that may, or `detail` says what comes before.",
        "Send one of them; where somebody else has changed the status, read the record again first.",
    )
    NOT_AMENDABLE = (
        "not_amendable",
        (409,),
        "In its present status the programme, or this part of it, cannot be amended.",
        "Do not amend it; the last day of an approved programme is changed by an extension.",
    )
    NOT_EXTENDABLE = (
        "not_extendable",
        (409,),
        "The programme is not approved yet, or has ended, or has no stated duration that could be extended.",
        "Extend it after its approval and before its end, once its duration is stated.",
    )
    DRAFT_EXISTS = (
        "draft_exists",
        (409,),
        "There is a draft of the same assessment already, which the organizations of its programme write together;"
        " `detail` names it.",
        "Amend that draft.",
    )
    UNDER_REVIEW = (
        "under_review",
        (409,),
        "An assessment of the same programme, marker, stage and year is submitted and not reviewed yet.",
        "Wait for its review.",
    )
    DRAFT_OUTDATED = (
        "draft_outdated",
        (409,),
        "Another assessment of the same programme, marker, stage and year was submitted after this draft was begun.",
        "Discard the draft and begin again from the assessment that `detail` names.",
    )
    NOT_REVIEWABLE = (
        "not_reviewable",
        (409,),
        "The assessment is not submitted, or is reviewed already.",
        "Review the one that is submitted.",
    )
    NOT_INDEPENDENT = (
        "not_independent",
        (422,),
        "The person who is to review an assessment wrote or reviewed it, or is of an organization that takes part.",
        "Ask somebody else, of another organization.",
    )
    NOT_CLAIMED = (
        "not_claimed",
        (409,),
        "The caller has not claimed the review that this is a step of, or has decided on it already.",
        "Claim it first, at the path that `detail` names, with a declaration of interest.",
    )
    REVIEW_TAKEN = (
        "review_taken",
        (409,),
        "The review is claimed by or assigned to somebody already.",
        "Take another one, or have it declined where the reviewer does not come to it.",
    )
    NOT_APPEALABLE = (
        "not_appealable",
        (409,),
        "The assessment has no review that could be appealed against, or no more: each once, and within 30 days.",
        "Submit a corrected version; `detail` says what stands against the appeal.",
    )
    ALREADY_ASSESSED = (
        "already_assessed",
        (409,),
        "A grade of the same programme, marker, stage and year is there already; `detail` names the assessment.",
        "Leave it as it is, or have that assessment corrected; a declared grade is corrected by naming it in"
        " `corrects`.",
    )
    NOT_WITHDRAWABLE = (
        "not_withdrawable",
        (409,),
        "What is to be withdrawn is no declared grade that counts: it has answers, was withdrawn or corrected already.",
        "Correct an assessment by a new version; read it again to see what became of it.",
    )
    PERIOD_OVERLAPS = (
        "period_overlaps",
        (422,),
        "A value is reported of days of which another value of the indicator is; `detail` names that one.",
        "Correct the value that is there, or report a period that has no day in common with another one.",
    )
    PARTS_DO_NOT_ADD_UP = (
        "parts_do_not_add_up",
        (422,),
        "The parts into which a value is divided do not add up to it, in a unit that is counted.",
        "Correct the parts; what they add up to is in `detail`, and a rest of which nothing is known is `not_stated`.",
    )
    VALUE_COMPUTED = (
        "value_computed",
        (409,),
        "The indicator is computed from other records, so that it is not changed and no value of it is reported.",
        "Write the records from which it is computed, such as assessments.",
    )
    VALUE_WITHDRAWN = (
        "value_withdrawn",
        (409,),
        "The reported value was withdrawn, and is not changed any more.",
        "Report the value anew; its days are free again.",
    )
    ACTION_ENDED = (
        "action_ended",
        (409,),
        "The action is done, replaced or dropped already.",
        "Read it again; where it was ended in error, have its successor, or a new assessment, plan it anew.",
    )
    POSITIONS_CLOSED = (
        "positions_closed",
        (409,),
        "The assessment does not wait for its review: positions are stated on what is submitted, until it is decided.",
        "Read it again to see what became of it, and state the position on its next version.",
    )
    ASSESSORS_NAMED = (
        "assessors_named",
        (409,),
        "The catalogue names organizations that take part in the programme, and those assess it: there is nothing to"
        " settle.",
        "Have the programme amended in the catalogue where others take part.",
    )
    NOT_ANSWERED = (
        "not_answered",
        (409,),
        "The assessment is a declared grade, without answers to explain or to compare.",
        "Ask for an assessment that was made by answers.",
    )
    NOT_REVIEWED = (
        "not_reviewed",
        (409,),
        "The assessment has no review yet, and its reviewed score is asked for.",
        "Ask for the score of its own answers, or wait for the review.",
    )
    NOTHING_EARLIER = (
        "nothing_earlier",
        (409,),
        "No earlier assessment of the programme is there to compare with, or the one that is named is not earlier.",
        "Name an earlier one in `earlier`, or ask again once one is accepted.",
    )
    NO_TARGET = (
        "no_target",
        (409,),
        "The target of the indicator is not loaded, or was not at the time of `as_of`.",
        "Ask for a later time, or another target.",
    )
    ALREADY_MATCHED = (
        "already_matched",
        (409, 422),
        "The bank entry or the ledger entry is matched already, or the match that is to be cancelled was cancelled"
        " before.",
        "Look at the match that `detail` names; cancel it with a reason where it is wrong, and confirm the right one.",
    )
    AMOUNTS_DIFFER = (
        "amounts_differ",
        (422,),
        "The ledger entries of a match do not add up to the bank entry.",
        "Name all that belong together; what a bank has kept back is entered as a bank charge and named, too.",
    )
    NOT_REVERSIBLE = (
        "not_reversible",
        (409,),
        "The ledger entry is itself a reversal, is reversed already, follows from another one, or others depend on it.",
        "Enter what is right as a new entry, correct the entry, or first reverse those that depend on this one.",
    )
    NOT_SETTLED = (
        "not_settled",
        (409,),
        "The accounts of the programme cannot be closed: something is not transferred, neither spent nor returned nor"
        " promised to be, or the final figures are not certified; `errors` has each.",
        "Settle what `errors` names in the ledger; the settlement of the programme has the present state.",
    )
    FIGURES_CERTIFIED = (
        "figures_certified",
        (409, 422),
        "The final figures of the programme are certified: nothing but refunds is entered for it, or reversed.",
        "Have the certificate withdrawn, as long as the programme is not financially closed.",
    )
    NEEDS_SECOND_PERSON = (
        "needs_second_person",
        (403, 409),
        "A transfer above the limit of the Fund is entered by one person alone (409), or decided on by the one who has"
        " proposed it (403).",
        "Propose it, and let a second person with the same role approve it.",
    )
    PROPOSAL_DECIDED = (
        "proposal_decided",
        (409,),
        "The proposed transfer is approved, rejected or withdrawn already, or who has proposed it was erased.",
        "Look at the proposal; where the transfer is still needed, propose it anew.",
    )
    INSUFFICIENT_BALANCE = (
        "insufficient_balance",
        (409,),
        "The balance of the Fund would be below zero on a day; `detail` has the day and the amount.",
        "Enter what came in before, or a smaller amount or a later day.",
    )
    EXCEEDS_ALLOCATION = (
        "exceeds_allocation",
        (409,),
        "More would be transferred for the programme than is allocated to it on a day.",
        "Enter the allocation before, or a smaller amount or a later day.",
    )
    EXCEEDS_TRANSFERS = (
        "exceeds_transfers",
        (409,),
        "More would be refunded than the organization has received for the programme on a day.",
        "Enter the transfer before, or a smaller amount or a later day.",
    )
    EXCEEDS_DEPOSITS = (
        "exceeds_deposits",
        (409,),
        "More would be refunded to a contributor than it has deposited on a day.",
        "Enter the deposit before, or a smaller amount or a later day.",
    )
    EXCEEDS_COMMITMENT = (
        "exceeds_commitment",
        (409,),
        "More would be taken from a commitment than it promises on a day.",
        "Enter a smaller amount or a later day, or reverse the whole commitment.",
    )

    PERIOD_CLOSED = (
        "period_closed",
        (409,),
        "The day of a ledger entry or reversal is up to the end of the last accounting period that is closed;"
        " `detail` has the first open day.",
        "Enter it with an open day; an entry that corrects another one names it in `corrects`.",
    )
    PERIOD_NOT_CONTIGUOUS = (
        "period_not_contiguous",
        (422,),
        "An accounting period does not begin on the day after the last one ends.",
        "Begin it on the day in `allowed`.",
    )

    # Answers to a rubric
    SUPERSEDED = (
        "superseded",
        (422,),
        "The version of the rubric was replaced by a later one, to which new answers belong; `allowed` names the"
        " versions.",
        "Answer a later version.",
    )
    UNKNOWN_CRITERION = (
        "unknown_criterion",
        (422,),
        "The rubric has no such criterion; `allowed` names those that are asked.",
        "Correct the code of the criterion.",
    )
    WRONG_STAGE = (
        "wrong_stage",
        (422,),
        "The criterion is not asked at this stage of a programme.",
        "Leave the answer out; `allowed` names the criteria of the stage.",
    )
    UNKNOWN_LEVEL = (
        "unknown_level",
        (422,),
        "The answer is no level of the rubric's scale; `allowed` names them.",
        "Answer with one of the levels.",
    )
    NOT_APPLICABLE_REFUSED = (
        "not_applicable_refused",
        (422,),
        "A criterion that always applies, or that applies to what the catalogue says of the programme, is answered as"
        " not applicable.",
        "Answer it with a level.",
    )
    NOTHING_APPLICABLE = (
        "nothing_applicable",
        (422,),
        "Every criterion is answered as not applicable, so that there is nothing to grade.",
        "Answer at least one criterion with a level.",
    )
    STAGE_NOT_COVERED = (
        "stage_not_covered",
        (422,),
        "The rubric asks nothing at this stage; `allowed` names the stages that it covers.",
        "Use another rubric or stage.",
    )
    NOT_ANOTHER = (
        "not_another",
        (422,),
        "A reviewer's own answer to a criterion is the same as the assessor's.",
        "Leave it out; only answers that differ are stated.",
    )

    # Files of an import
    INVALID_IMPORT = (
        "invalid_import",
        (422,),
        "Rows of an import are not valid, so nothing was written; `errors` has the first 1,000 errors, and `pointer` is"
        " /table/row/column.",
        "Correct the cells and send the whole file again.",
    )
    NOT_UTF8 = (
        "not_utf8",
        (422,),
        "A CSV file is not UTF-8 text.",
        "Save it as UTF-8, or send the workbook (XLSX).",
    )
    NOT_CSV = (
        "not_csv",
        (422,),
        "A file cannot be read as CSV: its quotation marks are not closed, or something else than commas separates its"
        " cells.",
        "Save it as CSV with commas, or send the workbook (XLSX).",
    )
    NOT_A_WORKBOOK = (
        "not_a_workbook",
        (422,),
        "A file, or a sheet of it, cannot be read as an XLSX workbook.",
        "Save it as XLSX, without a password, or send CSV.",
    )
    FILE_TOO_LARGE = (
        "file_too_large",
        (422,),
        "A file has more bytes, rows, columns or bytes in a line than are read; `detail` names the limit.",
        "Send less at once; a CSV file may have more rows than a sheet.",
    )
    UNKNOWN_TABLE = (
        "unknown_table",
        (422,),
        "A sheet of a workbook, or a file on the command line, is no table of the template; `allowed` names them.",
        "Rename it as in the template, or take it out.",
    )
    REPEATED_TABLE = (
        "repeated_table",
        (422,),
        "Two files on the command line have the same table.",
        "Give each table once.",
    )
    UNKNOWN_COLUMN = (
        "unknown_column",
        (422,),
        "A column is not in the template; `allowed` names those that are.",
        "Correct its header, or take it out.",
    )
    REPEATED_COLUMN = (
        "repeated_column",
        (422,),
        "A table has a column twice.",
        "Keep one.",
    )
    MISSING_COLUMN = (
        "missing_column",
        (422,),
        "A column that has to be there is not.",
        "Take the header of the template.",
    )
    WRONG_NUMBER_OF_CELLS = (
        "wrong_number_of_cells",
        (422,),
        "A row has more or fewer cells than the header.",
        "Put values with commas in quotation marks, and take out cells beyond the header.",
    )
    EMPTY_CELL = (
        "empty_cell",
        (422,),
        "A cell is empty that needs a value, by the template or for another cell of the row.",
        "State the value.",
    )
    NOT_TEXT_OR_NUMBER = (
        "not_text_or_number",
        (422,),
        "A cell of a workbook is a formula, an error, a date or something else than text or a number.",
        "Write what it shows as text.",
    )
    INEXACT_NUMBER = (
        "inexact_number",
        (422,),
        "A number in a workbook has more digits than spreadsheets store exactly.",
        "Write it as text.",
    )
    DOES_NOT_MATCH = (
        "does_not_match",
        (422,),
        "A cell contradicts another cell, the vocabulary or a stored record, such as by another name for the same"
        " code.",
        "Correct the cell, or the place that it contradicts; `detail` has both values.",
    )
    REPEATED_ROW = (
        "repeated_row",
        (422,),
        "An earlier row of the file has the same code.",
        "Keep one, or correct the code.",
    )
    SEVERAL_EDITIONS = (
        "several_editions",
        (422,),
        "A file describes several editions.",
        "Import one edition at a time.",
    )
    NOTHING_TO_IMPORT = (
        "nothing_to_import",
        (422,),
        "A file has neither an edition nor requirements that name one.",
        "Fill one of the two tables.",
    )
    REQUIREMENTS_EXPECTED = (
        "requirements_expected",
        (422,),
        "The file changes a term that published requirements use, and has no requirements.",
        "Send the requirements of the edition along.",
    )
    ROW_LEFT_OUT = (
        "row_left_out",
        (422,),
        "A published requirement is not in the file, and an import brings the whole edition.",
        "Add the row.",
    )
    NOT_A_STATEMENT = (
        "not_a_statement",
        (422,),
        "A file cannot be read as a bank statement of ISO 20022, camt.053, or it declares a document type or entities.",
        "Ask the bank for camt.053 in version 001.02 or later, or send the template's CSV.",
    )
    BALANCE_DOES_NOT_FOLLOW = (
        "balance_does_not_follow",
        (422,),
        "The opening balance and the entries of a bank statement are not its closing balance, or the statement does not"
        " begin with the closing balance of the one before.",
        "Ask the bank for the whole statement; `detail` has the balances.",
    )
    STATEMENT_OVERLAPS = (
        "statement_overlaps",
        (422,),
        "A bank statement has days in common with another one of the account, so that entries would count twice.",
        "Send statements whose days follow one another; the one that is here already needs no import.",
    )
    REPEATED_ENTRY = (
        "repeated_entry",
        (422,),
        "An entry of a bank statement has the reference, the day and the amount of another entry of the account.",
        "Take out the one that is repeated; entries that are alike and not the same have references of their own.",
    )
    TOTAL_DOES_NOT_MATCH = (
        "total_does_not_match",
        (422,),
        "The rows do not add up to a total that the document prints, and no reason is given.",
        "Correct the rows, or explain the difference in the table of printed totals.",
    )

    # The suite itself
    INTERNAL_ERROR = (
        "internal_error",
        (500,),
        "The service failed; that is an error of the service and not of the request.",
        "Report it with its `request_id`, by which the operator finds it in the log.",
    )
    UNAVAILABLE = (
        "unavailable",
        (503,),
        "The service cannot answer now: its database or the identity provider cannot be reached or used, or what is"
        " asked for is just being written.",
        "Send the request again after the seconds of `Retry-After`, a write with the same `Idempotency-Key`.",
    )
    OVERLOADED = (
        "overloaded",
        (503,),
        "Every connection to its database that the service has for such requests is in use, or the database takes no"
        " more of them.",
        "Send the request again after the seconds of `Retry-After`, a write with the same `Idempotency-Key`.",
    )
    TOO_MANY_CONNECTIONS = (
        "too_many_connections",
        (503,),
        "There are as many connections as the server, or one address, may have; `detail` names the limit.",
        "Use few connections, each for many requests; come again after the seconds of `Retry-After`.",
    )
    TOO_SLOW = (
        "too_slow",
        (503,),
        "The answer takes longer than the service works on one.",
        "Ask for less: narrower filters, fewer dimensions, a smaller page. The same request will take as long again.",
    )
    BUSY = (
        "busy",
        (503,),
        "Others are under way and did not end in the time that the request waits for them: other writes, other files"
        " that are sent or imported, or another write of the same data; or a file was not read in time. `detail` says"
        " which. Nothing was written.",
        "Send the request again after the seconds of `Retry-After`, with the same `Idempotency-Key`.",
    )
    READ_ONLY = (
        "read_only",
        (503,),
        "The database takes no writes now, as after a failover; reads are answered.",
        "Send the write again after the seconds of `Retry-After`, with the same `Idempotency-Key`.",
    )
    STORAGE_FULL = (
        "storage_full",
        (507,),
        "The database, or the folder for temporary files of the service, has no space left; `detail` says which."
        " Nothing was written. Reads are answered, but for those for which the database itself needs space.",
        "Tell the operator, and send the request again later, a write with the same `Idempotency-Key`.",
    )
    NOT_CONFIGURED = (
        "not_configured",
        (503,),
        "The request needs another service whose address the operator has not set.",
        "Ask the operator; sending it again does not help before.",
    )
    COPY_OUTDATED = (
        "copy_outdated",
        (503,),
        "The copy of another service's records that the request is checked against is not complete yet, or is older"
        " than the operator allows; `detail` says which. Nothing was written.",
        "Send the request again after the seconds of `Retry-After`, with the same `Idempotency-Key`; where the copy is"
        " too old, tell the operator that the other service is away.",
    )
    SERVICE_UNREACHABLE = (
        "service_unreachable",
        (502,),
        "Another service that the answer needs cannot be reached, or broke the connection.",
        "Send the request again after the seconds of `Retry-After`, a write with the same `Idempotency-Key`.",
    )
    SERVICE_TIMEOUT = (
        "service_timeout",
        (502, 504),
        "Another service that the answer needs did not answer in time.",
        "Send the request again after the seconds of `Retry-After`, a write with the same `Idempotency-Key`.",
    )
    SERVICE_OVERLOADED = (
        "service_overloaded",
        (502, 503),
        "The gateway has as many requests under way to the service as it sends at once. Other services are not"
        " affected.",
        "Send the request again after the seconds of `Retry-After`, a write with the same `Idempotency-Key`.",
    )
    SERVICE_NOT_ANSWERING = (
        "service_not_answering",
        (502, 503),
        "The service has not answered several requests in a row. Until it answers again, the gateway sends it one"
        " request every two seconds and answers the others at once.",
        "Send the request again after the seconds of `Retry-After`; a write that was answered so was not sent on.",
    )
    INVALID_ANSWER = (
        "invalid_answer",
        (502,),
        "Another service answered what cannot be used: an error of its own, or what is not in its contract.",
        "Send the request again later; where it stays so, tell the operator, with the `request_id`.",
    )
    MISSING_CONTRACT = (
        "missing_contract",
        (503,),
        "The gateway has no contract of a service yet.",
        "Ask again later, or for the other contracts with `partial=true`.",
    )
    NO_CARDS = (
        "no_cards",
        (),
        "A service has no cards of programmes at all: in the view of a programme, the reason why its part has none. It"
        " is no error of the request.",
        "Show the parts of the other services, which are complete.",
    )
