package transport

import (
	"errors"
	"net/textproto"
	"regexp"
	"slices"
)

// refusal tells a server's answer from a broken connection, and what is the address's
// fault from what an operator or the server's own people can mend.
func refusal(stage string, err error) *Error {
	failed := &Error{Settings: stage == "sender", Stage: stage, Err: errors.New(said(err.Error()))}
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		failed.Code = code(err)
		failed.Permanent = failed.Code >= 500 && stage != "sender" && refusesAddress(stage, failed.Code, answer.Msg)
	}
	return failed
}

// code is that of a server's refusal; anything else, nonsense too, has none.
func code(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 400 && answer.Code <= 599 {
		return answer.Code
	}
	return 0
}

// enhanced finds an enhanced status code (RFC 3463) at the beginning of an answer or,
// as some servers write it, behind a #.
var enhanced = regexp.MustCompile(`(?:^|#)([245])\.(\d{1,3})\.(\d{1,3})(?:[^.\d]|$)`)

// senderAddress are the details of X.1 that are about the sender's address.
var senderAddress = []string{"7", "8"}

// noSuchMailbox are the codes that RFC 5321 has for a recipient who is not there.
var noSuchMailbox = []int{550, 551, 553}

// refusesAddress reports whether a 5xx is about the recipient's address. With an enhanced
// status code that is its subject 1. Without one it is an answer to RCPT with a code for
// mailboxes: no mail gets further, and a day's attempts would hide it from the merchant.
func refusesAddress(stage string, code int, words string) bool {
	if status := enhanced.FindStringSubmatch(words); status != nil {
		return status[1] == "5" && status[2] == "1" && !slices.Contains(senderAddress, status[3])
	}
	return stage == "recipient" && slices.Contains(noSuchMailbox, code)
}
