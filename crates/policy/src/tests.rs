//! Who may what: every role with every class, at home and elsewhere.

use super::*;

fn principal(role: Option<Role>, owns_home: bool, local: bool) -> Principal {
    Principal {
        id: "token/main/T-1".to_owned(),
        account: "main".to_owned(),
        role,
        owns_home,
        local,
    }
}

/// What is allowed, written down a second time as a table.
fn expected(who: &Principal, class: Class, own_account: bool) -> bool {
    if who.owns_home {
        return true;
    }
    own_account
        && match class {
            Class::Health => who.local || who.role.is_some(),
            Class::Knock => true,
            Class::Read => who.role.is_some(),
            Class::Operate => who.role.is_some_and(|r| r != Role::Reader),
            Class::Own => who.role == Some(Role::Owner),
            Class::Install => false,
        }
}

#[test]
fn every_question_has_the_expected_answer_and_says_why() {
    let policies = Policies::standard().expect("the policies fit their schema");
    let roles = Role::ALL.into_iter().map(Some).chain([None]);
    let whos = roles.flat_map(|role| {
        let both = [false, true];
        both.into_iter()
            .flat_map(move |owns| both.map(|local| principal(role, owns, local)))
    });
    for who in whos {
        for class in Class::ALL {
            for account in ["main", "other"] {
                let question = Question {
                    principal: &who,
                    class,
                    account,
                };
                let answer = policies.decide(&question).expect("decided");
                let wanted = expected(&who, class, account == "main");
                assert_eq!(answer.allowed, wanted, "{question:?}");
                if answer.allowed {
                    assert!(!answer.policies.is_empty(), "{question:?}");
                }
                if account == "other" && !who.owns_home {
                    assert_eq!(answer.policies, ["accounts-are-apart"]);
                }
            }
        }
    }
}

#[test]
fn policies_that_do_not_fit_or_have_no_name_are_not_used() {
    let nameless = r#"permit (principal, action, resource);"#;
    assert!(Policies::read(nameless).is_err());
    let unknown = r#"@id("x") permit (principal, action, resource) when { principal.height > 3 };"#;
    assert!(Policies::read(unknown).is_err());
    let twice =
        r#"@id("x") permit (principal, action, resource); @id("x") permit (principal, action, resource);"#;
    assert!(Policies::read(twice).is_err());
}

#[test]
fn without_a_policy_nothing_is_allowed() {
    let policies = Policies::read("").expect("no policy");
    let who = principal(Some(Role::Owner), true, true);
    let question = Question {
        principal: &who,
        class: Class::Read,
        account: "main",
    };
    let answer = policies.decide(&question).expect("decided");
    assert_eq!((answer.allowed, answer.policies.len()), (false, 0));
}
