package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// BulkIssueGiftCards issues cards at once up to BulkThreshold, and by a task above it.
func (s *Server) BulkIssueGiftCards(ctx context.Context, request api.BulkIssueGiftCardsRequestObject) (api.BulkIssueGiftCardsResponseObject, error) {
	who := caller(ctx)
	program, err := who.programToIssueIn()
	if err != nil {
		return nil, err
	}
	body := request.Body
	terms, recipients := fromBulk(program, body)
	key, err := bulkKey(who, request, terms, recipients)
	if err != nil {
		return nil, err
	}
	terms.IssuedBy = who.access.User.ID
	count := len(recipients)
	if body.Count != nil {
		count = *body.Count
	}
	// The number of cards decides between a task and an immediate answer. A replay does not
	// ask again, so a changed threshold does not change its answer.
	answer, err := s.once(ctx, who, key, func(tx *store.Tx) (int, any, error) {
		byTask, err := s.byTask(ctx, count)
		if err != nil {
			return 0, nil, err
		}
		if byTask {
			return s.addTask(ctx, tx, who, terms, count, recipients)
		}
		if body.Count != nil {
			recipients = make([]store.Recipient, count) // a count names nobody
		}
		return issueAtOnce(ctx, tx, who, terms, recipients)
	})
	if err != nil {
		return nil, err
	}
	return s.bulkAnswer(who, program.ID, body.Count != nil, answer)
}

func (s *Server) bulkAnswer(who *principal, program id.ID, byCount bool, a store.Answer) (api.BulkIssueGiftCardsResponseObject, error) {
	if a.Status == http.StatusAccepted {
		return s.bulkAccepted(program, a)
	}
	return s.bulkIssued(who, program, byCount, a)
}

func (s *Server) addTask(ctx context.Context, tx *store.Tx, who *principal, terms store.Terms, count int, recipients []store.Recipient) (int, any, error) {
	task, err := tx.AddTask(ctx, who.access, terms, count, recipients)
	if err != nil {
		return 0, nil, err
	}
	// The job is added in the same transaction, so that there is no task without a job.
	if err := s.Jobs.EnqueueBulkIssue(ctx, tx, task); err != nil {
		return 0, nil, err
	}
	if err := tx.Audit(ctx, who.auditEntry(bulkOperation, terms.ProgramID, task.ID[:], count)); err != nil {
		return 0, nil, err
	}
	// After AddTask, so that the sum includes this task. A refusal rolls it back.
	if s.MerchantBacklog > 0 {
		if err := tx.LimitBacklog(ctx, terms.ProgramID, s.MerchantBacklog); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusAccepted, api.BulkIssuanceAsyncResponse{TaskId: task.ID.String(), Status: store.TaskPending}, nil
}

func issueAtOnce(ctx context.Context, tx *store.Tx, who *principal, terms store.Terms, recipients []store.Recipient) (int, any, error) {
	cards, err := tx.IssueCards(ctx, terms, recipients)
	if err != nil {
		return 0, nil, err
	}
	if err := tx.Audit(ctx, who.auditEntry(bulkOperation, terms.ProgramID, cards[0].ID[:], len(cards))); err != nil {
		return 0, nil, err
	}
	issued := api.BulkIssuanceSyncResponse{IssuedCount: len(cards), Cards: make([]api.BulkIssuedCardSummary, len(cards))}
	for i := range cards {
		issued.Cards[i] = toSummary(cards[i].ID, cards[i].CardNumber)
	}
	return http.StatusCreated, issued, nil
}

func (s *Server) bulkAccepted(program id.ID, a store.Answer) (api.BulkIssueGiftCardsResponseObject, error) {
	accepted, err := decodeAnswer[api.BulkIssuanceAsyncResponse](a)
	return api.BulkIssueGiftCards202JSONResponse{
		Body: accepted,
		Headers: api.BulkIssueGiftCards202ResponseHeaders{
			IdempotentReplayed: replayed(a),
			Location:           fmt.Sprintf("%s/v2/giftcards/programs/%s/cards/bulk/%s", s.basePath, program, accepted.TaskId),
			RetryAfter:         retryAfter,
		},
	}, err
}

// bulkIssued makes a fresh CSV link for each answer, replayed or not, because the link of
// the first answer may have expired. The body has the link only for cards by count,
// because the codes of other cards go to their recipients.
func (s *Server) bulkIssued(who *principal, program id.ID, byCount bool, a store.Answer) (api.BulkIssueGiftCardsResponseObject, error) {
	issued, err := decodeAnswer[api.BulkIssuanceSyncResponse](a)
	if err != nil {
		return nil, err
	}
	// The ids of cards that were issued at once follow each other, so the first one is enough.
	first, err := id.Parse(issued.Cards[0].Id)
	if err != nil {
		return nil, err
	}
	link := s.csvLink(who, store.CardRange{ProgramID: program, First: first, Count: issued.IssuedCount})
	if byCount {
		issued.CsvDownloadUrl = &link
	}
	header := csvLinkHeader(link)
	return api.BulkIssueGiftCards201JSONResponse{
		Body: issued, Headers: api.BulkIssueGiftCards201ResponseHeaders{IdempotentReplayed: replayed(a), Link: &header},
	}, nil
}

// PollBulkIssuance answers with the status of a task, and with all of its cards once it is
// completed.
func (s *Server) PollBulkIssuance(ctx context.Context, request api.PollBulkIssuanceRequestObject) (api.PollBulkIssuanceResponseObject, error) {
	who := caller(ctx)
	if _, err := who.program(); err != nil {
		return nil, err
	}
	taskID, err := uuid.Parse(request.TaskId)
	if err != nil || taskID.String() != request.TaskId {
		return nil, store.ErrTaskNotFound // no task has such an id
	}
	task, err := s.Store.FindTask(ctx, who.access, taskID)
	if err != nil {
		return nil, err
	}
	if task.Status == store.TaskCompleted {
		answer := completedTask{server: s, ctx: ctx, task: task}
		if who.mayIssue() { // the CSV opens codes
			answer.link = s.csvLink(who, task.CardRange())
		}
		return answer, nil
	}
	return s.unfinishedTask(who, task), nil
}

// unfinishedTask is the answer to a poll of a task that has no cards: it is still at work,
// or it has failed.
func (s *Server) unfinishedTask(who *principal, task store.Task) encodedAnswer {
	who.answer.Set("Cards-Wanted", strconv.Itoa(int(task.CardCount)))
	who.answer.Set("Cards-Written", strconv.Itoa(s.Store.Written(task)))
	status := api.BulkIssuanceTaskStatus{TaskId: task.ID.String(), Status: task.Status, CompletedAt: task.CompletedAt}
	var link *string
	if task.Status == store.TaskFailed {
		failed := int(task.CardCount)
		status.FailedCount, status.Error = &failed, task.Error
	} else {
		who.answer.Set("Retry-After", strconv.Itoa(retryAfter))
		if who.mayIssue() { // the link opens codes as soon as there are any
			header := pageLinkHeader(s.csvLink(who, task.CardRange()))
			link = &header
		}
	}
	return encodedAnswer{body: append(appendTaskStatus(nil, &status), '\n'), link: link}
}

// completedTask is the answer to a poll of a completed task. It holds one page of cards at
// a time.
type completedTask struct {
	server *Server
	ctx    context.Context
	task   store.Task
	link   string // to the CSV, empty if the caller gets none
}

// VisitPollBulkIssuanceResponse writes the answer.
func (t completedTask) VisitPollBulkIssuanceResponse(w http.ResponseWriter) error {
	streaming, err := t.server.streams.take(caller(t.ctx), t.task.CardRange())
	if err != nil {
		return err
	}
	defer streaming()
	status := api.BulkIssuanceTaskStatus{TaskId: t.task.ID.String(), Status: t.task.Status, CompletedAt: t.task.CompletedAt}
	issued := int(t.task.CardCount)
	status.IssuedCount, status.Cards = &issued, &[]api.BulkIssuedCardSummary{}
	if t.task.ByCount && t.link != "" {
		status.CsvDownloadUrl = &t.link
	}
	frame, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("encode task: %w", err)
	}
	// The frame is encoded with an empty list, and the cards are streamed into its place.
	begin, end, ok := strings.Cut(string(frame), `"cards":[]`)
	if !ok {
		return errors.New("encode task: no list of cards")
	}
	w.Header().Set("Content-Type", "application/json")
	all := strconv.Itoa(issued)
	w.Header().Set("Cards-Wanted", all)
	w.Header().Set("Cards-Written", all)
	if t.link != "" {
		w.Header().Set("Link", csvLinkHeader(t.link))
	}
	return t.server.stream(t.ctx, w, t.task.CardRange(), cardList{
		begin: begin + `"cards":[`, separator: ",", end: "]" + end, append: appendSummary,
	})
}

// appendSummary appends the same JSON as encoding/json makes of toSummary, many times
// faster. A test compares the two.
func appendSummary(line []byte, card *store.IssuedCard) ([]byte, error) {
	line, err := card.ID.AppendText(append(line, `{"id":"`...))
	line = store.AppendNumber(append(line, `","cardNumber":"`...), card.CardNumber)
	lastFour := line[len(line)-4:]
	line = append(append(line, `","lastFourDigits":"`...), lastFour...)
	return append(line, `"}`...), err
}
