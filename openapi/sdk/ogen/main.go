// Program journey issues gift cards with the client that ogen generates.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"strings"
	"time"

	"journey/client"
)

func main() {
	log.SetFlags(0)
	if err := journey(context.Background()); err != nil {
		log.Fatalln("error:", err)
	}
}

// bearer gives the client the token. It is empty before the login.
type bearer struct{ token string }

func (b *bearer) BearerAuth(context.Context, client.OperationName) (client.BearerAuth, error) {
	return client.BearerAuth{Token: b.token}, nil
}

func journey(ctx context.Context) error {
	auth := &bearer{}
	giftcards, err := client.NewClient(os.Getenv("GIFTCARDS_URL"), auth)
	if err != nil {
		return err
	}
	program := client.PydanticObjectId(os.Getenv("GIFTCARDS_PROGRAM_ID"))

	login, err := giftcards.LoginForAccessTokenV2TokenPost(ctx, &client.BodyLoginForAccessTokenV2TokenPost{
		Username: os.Getenv("GIFTCARDS_USERNAME"), Password: os.Getenv("GIFTCARDS_PASSWORD"),
	})
	if err != nil {
		return err
	}
	token, ok := login.(*client.OAuth2Token)
	if !ok || !token.AccessToken.Value.IsString() {
		return fmt.Errorf("login: %T", login)
	}
	auth.token = token.AccessToken.Value.String
	passed("token")

	params := client.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostParams{ProgramId: program}
	card := &client.CreateGiftCardRequest{
		MerchantId:   client.PydanticObjectId(os.Getenv("GIFTCARDS_MERCHANT_ID")),
		InitialValue: client.NewStringCreateGiftCardRequestInitialValue("25.10"),
	}
	answer, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPost(ctx, card, params)
	if err != nil {
		return err
	}
	created, ok := answer.(*client.GiftCardResponseHeaders)
	if !ok || created.Response.InitialValue != "25.10" || created.Response.Status != client.GiftCardStatusPending {
		return fmt.Errorf("create: %T", answer)
	}
	passed("create")

	// A refusal is not an error of the client but one of the answer's types.
	card.InitialValue = client.NewStringCreateGiftCardRequestInitialValue("0")
	answer, err = giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPost(ctx, card, params)
	if err != nil {
		return err
	}
	refused, ok := answer.(*client.HTTPValidationError)
	if !ok || len(refused.Detail) != 1 {
		return fmt.Errorf("refused: %T", answer)
	}
	fault := refused.Detail[0]
	if field := fault.Loc[len(fault.Loc)-1].String; field != "initialValue" || fault.Type != "greater_than_equal" {
		return fmt.Errorf("refused: %s at %s", fault.Type, field)
	}
	passed("refused")

	bulkParams := client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostParams{ProgramId: program}
	few, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(50), bulkParams)
	if err != nil {
		return err
	}
	issued, ok := few.(*client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostCreatedHeaders)
	if !ok || !issued.Response.IsBulkIssuanceSyncResponse() || len(issued.Response.BulkIssuanceSyncResponse.Cards) != 50 {
		return fmt.Errorf("bulk: %T", few)
	}
	passed("bulk")

	// Above the threshold of 50 cards the same operation answers 202 with a task.
	bulkParams.IdempotencyKey = client.NewOptString(fmt.Sprint("journey-", time.Now().UnixNano()))
	many, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(500), bulkParams)
	if err != nil {
		return err
	}
	accepted, ok := many.(*client.BulkIssuanceAsyncResponseHeaders)
	if !ok || accepted.Response.TaskId == "" || accepted.Location == "" {
		return fmt.Errorf("task: %T", many)
	}
	passed("task")

	task, err := completed(ctx, giftcards, program, accepted.Response.TaskId)
	if err != nil {
		return err
	}
	if task.IssuedCount.Value.Int != 500 || len(task.Cards.Value.BulkIssuedCardSummaryArray) != 500 {
		return fmt.Errorf("poll: not 500 cards")
	}
	passed("poll")

	// The same key and body must return the same task.
	again, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPost(ctx, bulk(500), bulkParams)
	if err != nil {
		return err
	}
	replay, ok := again.(*client.BulkIssuanceAsyncResponseHeaders)
	if !ok || replay.Response.TaskId != accepted.Response.TaskId || !replay.IdempotentReplayed.Set {
		return fmt.Errorf("replay: %T", again)
	}
	passed("replay")

	file, err := giftcards.DownloadGiftCardsV2GiftcardsDownloadsLinkGet(ctx, client.DownloadGiftCardsV2GiftcardsDownloadsLinkGetParams{
		Link: path.Base(task.CsvDownloadUrl.Value.String),
	})
	if err != nil {
		return err
	}
	csv, ok := file.(*client.DownloadGiftCardsV2GiftcardsDownloadsLinkGetOKHeaders)
	if !ok {
		return fmt.Errorf("csv: %T", file)
	}
	text, err := io.ReadAll(csv.Response)
	if err != nil {
		return err
	}
	if lines := strings.Count(string(text), "\n"); lines != 501 {
		return fmt.Errorf("csv: %d lines", lines)
	}
	passed("csv")

	if _, err := giftcards.LogoutV2TokenLogoutPost(ctx); err != nil {
		return err
	}
	info, err := giftcards.GetTokenInfoV2TokenGet(ctx)
	if err != nil {
		return err
	}
	if stranger, ok := info.(*client.GetTokenInfoV2TokenGetUnauthorized); !ok || stranger.Detail == "" {
		return fmt.Errorf("logout: %T", info)
	}
	passed("logout")
	return nil
}

func bulk(count int) *client.BulkIssueGiftCardRequest {
	return &client.BulkIssueGiftCardRequest{
		InitialValue: client.NewStringBulkIssueGiftCardRequestInitialValue("10.00"),
		Count:        client.NewOptBulkIssueGiftCardRequestCount(client.NewIntBulkIssueGiftCardRequestCount(count)),
	}
}

func completed(ctx context.Context, giftcards *client.Client, program client.PydanticObjectId, id string) (*client.BulkIssuanceTaskStatus, error) {
	for range 30 {
		answer, err := giftcards.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGet(ctx,
			client.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetParams{ProgramId: program, TaskId: id})
		if err != nil {
			return nil, err
		}
		polled, ok := answer.(*client.BulkIssuanceTaskStatusHeaders)
		switch {
		case !ok:
			return nil, fmt.Errorf("poll: %T", answer)
		case polled.Response.Status == "completed":
			return &polled.Response, nil
		case polled.Response.Status == "failed" || !polled.RetryAfter.Set:
			return nil, fmt.Errorf("poll: the task is %s", polled.Response.Status)
		}
		// The server says when to poll again.
		time.Sleep(time.Duration(polled.RetryAfter.Value) * time.Second)
	}
	return nil, fmt.Errorf("poll: the task is not done after 30 polls")
}

func passed(step string) { fmt.Println("passed", step) }
