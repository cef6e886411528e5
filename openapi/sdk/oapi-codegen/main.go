// Program journey issues gift cards with the client that oapi-codegen generates.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
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

func journey(ctx context.Context) error {
	var token string
	giftcards, err := client.NewClientWithResponses(os.Getenv("GIFTCARDS_URL"),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
	if err != nil {
		return err
	}
	program := os.Getenv("GIFTCARDS_PROGRAM_ID")

	login, err := giftcards.LoginForAccessTokenV2TokenPostWithFormdataBodyWithResponse(ctx, client.BodyLoginForAccessTokenV2TokenPost{
		Username: os.Getenv("GIFTCARDS_USERNAME"), Password: os.Getenv("GIFTCARDS_PASSWORD"),
	})
	if err != nil {
		return err
	}
	if login.JSON200 == nil || login.JSON200.AccessToken == nil {
		return fmt.Errorf("login: %s", login.Status())
	}
	token = *login.JSON200.AccessToken
	passed("token")

	// The value is a string, because the union's number is a float32 and would be rounded.
	card := client.CreateGiftCardRequest{MerchantId: os.Getenv("GIFTCARDS_MERCHANT_ID")}
	if err := card.InitialValue.FromCreateGiftCardRequestInitialValue1("25.10"); err != nil {
		return err
	}
	created, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostWithResponse(ctx, program, nil, card)
	if err != nil {
		return err
	}
	if created.JSON201 == nil || created.JSON201.InitialValue != "25.10" || created.JSON201.Status != client.Pending {
		return fmt.Errorf("create: %s", created.Status())
	}
	passed("create")

	if err := card.InitialValue.FromCreateGiftCardRequestInitialValue1("0"); err != nil {
		return err
	}
	refused, err := giftcards.CreateGiftCardV2GiftcardsProgramsProgramIdCardsPostWithResponse(ctx, program, nil, card)
	if err != nil {
		return err
	}
	if refused.JSON422 == nil || refused.JSON422.Detail == nil || len(*refused.JSON422.Detail) != 1 {
		return fmt.Errorf("refused: %s", refused.Status())
	}
	fault := (*refused.JSON422.Detail)[0]
	field, err := fault.Loc[len(fault.Loc)-1].AsValidationErrorLoc0()
	if err != nil || field != "initialValue" || fault.Type != "greater_than_equal" {
		return fmt.Errorf("refused: %s at %s: %w", fault.Type, field, err)
	}
	passed("refused")

	few, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, nil, bulk(50))
	if err != nil {
		return err
	}
	if few.JSON201 == nil {
		return fmt.Errorf("bulk: %s", few.Status())
	}
	issued, err := few.JSON201.AsBulkIssuanceSyncResponse()
	if err != nil || issued.IssuedCount != 50 || len(issued.Cards) != 50 {
		return fmt.Errorf("bulk: %d cards: %w", len(issued.Cards), err)
	}
	passed("bulk")

	// Above the threshold of 50 cards the same operation answers 202 with a task.
	key := fmt.Sprint("journey-", time.Now().UnixNano())
	params := &client.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostParams{IdempotencyKey: &key}
	many, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, params, bulk(500))
	if err != nil {
		return err
	}
	if many.JSON202 == nil || many.JSON202.TaskId == "" {
		return fmt.Errorf("task: %s", many.Status())
	}
	passed("task")

	task, err := completed(ctx, giftcards, program, many.JSON202.TaskId)
	if err != nil {
		return err
	}
	if task.IssuedCount == nil || *task.IssuedCount != 500 || task.Cards == nil || len(*task.Cards) != 500 || task.CsvDownloadUrl == nil {
		return fmt.Errorf("poll: not 500 cards and a link")
	}
	passed("poll")

	// The same key and body must return the same task.
	again, err := giftcards.BulkIssueGiftCardsV2GiftcardsProgramsProgramIdCardsBulkPostWithResponse(ctx, program, params, bulk(500))
	if err != nil {
		return err
	}
	if again.JSON202 == nil || again.JSON202.TaskId != many.JSON202.TaskId || again.Headers202 == nil || again.Headers202.IdempotentReplayed == nil {
		return fmt.Errorf("replay: %s", again.Status())
	}
	passed("replay")

	csv, err := giftcards.DownloadGiftCardsV2GiftcardsDownloadsLinkGetWithResponse(ctx, path.Base(*task.CsvDownloadUrl))
	if err != nil {
		return err
	}
	if lines := strings.Count(string(csv.Body), "\n"); csv.StatusCode() != http.StatusOK || lines != 501 {
		return fmt.Errorf("csv: %s, %d lines", csv.Status(), lines)
	}
	passed("csv")

	if _, err := giftcards.LogoutV2TokenLogoutPostWithResponse(ctx); err != nil {
		return err
	}
	stranger, err := giftcards.GetTokenInfoV2TokenGetWithResponse(ctx)
	if err != nil {
		return err
	}
	if stranger.JSON401 == nil || stranger.JSON401.Detail == "" {
		return fmt.Errorf("logout: %s", stranger.Status())
	}
	passed("logout")
	return nil
}

func bulk(count int) client.BulkIssueGiftCardRequest {
	request := client.BulkIssueGiftCardRequest{Count: &count}
	if err := request.InitialValue.FromBulkIssueGiftCardRequestInitialValue1("10.00"); err != nil {
		log.Fatalln("error:", err)
	}
	return request
}

func completed(ctx context.Context, giftcards *client.ClientWithResponses, program, id string) (*client.BulkIssuanceTaskStatus, error) {
	for range 30 {
		polled, err := giftcards.PollBulkIssuanceV2GiftcardsProgramsProgramIdCardsBulkTaskIdGetWithResponse(ctx, program, id, nil)
		if err != nil {
			return nil, err
		}
		switch {
		case polled.JSON200 == nil:
			return nil, fmt.Errorf("poll: %s", polled.Status())
		case polled.JSON200.Status == "completed":
			return polled.JSON200, nil
		case polled.JSON200.Status == "failed":
			return nil, fmt.Errorf("poll: the task failed")
		}
		if polled.Headers200 == nil || polled.Headers200.RetryAfter == nil {
			return nil, fmt.Errorf("poll: unfinished, without Retry-After")
		}
		// The server says when to poll again.
		time.Sleep(time.Duration(*polled.Headers200.RetryAfter) * time.Second)
	}
	return nil, fmt.Errorf("poll: the task is not done after 30 polls")
}

func passed(step string) { fmt.Println("passed", step) }
