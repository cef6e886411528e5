package transport

import (
	"errors"
	"net/textproto"
	"regexp"
	"slices"
)

// refusal classifies an error of a stage. An answer of the server has a code, and a broken
// connection has none. Only a fault of the recipient's address is permanent, because
// people can mend the others.
func refusal(stage string, err error) *Error {
	failed := &Error{Settings: stage == "sender", Stage: stage, Err: errors.New(said(err.Error()))}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		failed.Code = code(err)
		failed.Permanent = failed.Code >= 500 && stage != "sender" && refusesAddress(stage, failed.Code, answer.Msg)
	}
	return failed
}

// code returns the code of a server's refusal, 0 for any other error.
func code(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 400 && answer.Code <= 599 {
		return answer.Code
	}
	return 0
}

// enhanced matches an enhanced status code (RFC 3463) at the beginning of an answer, or
// behind a #, where some servers write it.
var enhanced = regexp.MustCompile(`(?:^|#)([245])\.(\d{1,3})\.(\d{1,3})(?:[^.\d]|$)`)

// senderAddress are the details of the subject X.1 that concern the sender's address.
var senderAddress = []string{"7", "8"}

// noSuchMailbox are RFC 5321's codes for a recipient that does not exist.
var noSuchMailbox = []int{550, 551, 553}

// refusesAddress reports whether a 5xx refuses the recipient's address. An enhanced status
// code says so by its subject 1. Without one, an answer to RCPT with a code for mailboxes
// counts as such: retries would not help, and would only delay the news to the merchant.
func refusesAddress(stage string, code int, words string) bool {
	if status := enhanced.FindStringSubmatch(words); status != nil {
		return status[1] == "5" && status[2] == "1" && !slices.Contains(senderAddress, status[3])
	}
	return stage == "recipient" && slices.Contains(noSuchMailbox, code)
}
