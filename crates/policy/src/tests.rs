use super::*;

fn principal(role: Role, owns_home: bool) -> Principal {
    Principal {
        id: "token/main/T-1".to_owned(),
        account: "main".to_owned(),
        role,
        owns_home,
    }
}

/// What is allowed, written down a second time as a table.
fn expected(role: Role, owns_home: bool, class: Class, own_account: bool) -> bool {
    if owns_home {
        return true;
    }
    own_account
        && match class {
            Class::Read => true,
            Class::Operate => role != Role::Reader,
            Class::Own => role == Role::Owner,
            Class::Install => false,
        }
}

#[test]
fn every_question_has_the_expected_answer_and_says_why() {
    let policies = Policies::standard().expect("the policies fit their schema");
    for role in Role::ALL {
        for owns_home in [false, true] {
            for class in Class::ALL {
                for account in ["main", "other"] {
                    let who = principal(role, owns_home);
                    let question = Question {
                        principal: &who,
                        class,
                        account,
                    };
                    let answer = policies.decide(&question).expect("decided");
                    let wanted = expected(role, owns_home, class, account == "main");
                    assert_eq!(answer.allowed, wanted, "{question:?}");
                    if answer.allowed {
                        assert!(!answer.policies.is_empty(), "{question:?}");
                    }
                    if account == "other" && !owns_home {
                        assert_eq!(answer.policies, ["accounts-are-apart"]);
                    }
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
    let who = principal(Role::Owner, true);
    let question = Question {
        principal: &who,
        class: Class::Read,
        account: "main",
    };
    let answer = policies.decide(&question).expect("decided");
    assert_eq!((answer.allowed, answer.policies.len()), (false, 0));
}
