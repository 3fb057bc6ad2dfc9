//! The built-in tasks.

use crate::InputKind::{Audio, Image, Text};
use crate::{Build, OutputKind, Task};

/// Every built-in task, in the order of `sensorium tasks`.
///
/// The order matters to routing: of the tasks that take an input, the first with a pipeline is chosen.
pub const TASKS: &[Task] = &[
    Task {
        name: "text-generation",
        aliases: &["generate", "chat"],
        summary: "Continue a text, or answer in a conversation",
        inputs: &[Text],
        output: OutputKind::Generation,
        default_model: Some("shakespeare"),
        architectures: &["ForCausalLM", "LMHeadModel"],
        model_types: &[
            "gemma2",
            "gemma3_text",
            "gpt2",
            "gpt_neox",
            "llama",
            "lstm_lm",
            "mistral",
            "opt",
            "phi3",
            "qwen2",
            "qwen3",
            "transformer_lm",
        ],
        build: TEXT_GENERATION,
    },
    Task {
        name: "text2text-generation",
        summary: "Rewrite a text as an instruction in it says",
        inputs: &[Text],
        output: OutputKind::Generation,
        architectures: &["T5ForConditionalGeneration"],
        model_types: &["t5"],
        build: TEXT_TO_TEXT,
        ..Task::EMPTY
    },
    Task {
        name: "translation",
        aliases: &["translate"],
        summary: "Put a text into another language",
        inputs: &[Text],
        output: OutputKind::Translation,
        default_model: Some("multi30k-en-de"),
        architectures: &[
            "MarianMTModel",
            "M2M100ForConditionalGeneration",
            "MBartForConditionalGeneration",
        ],
        model_types: &["m2m_100", "marian", "mbart"],
        build: TRANSLATION,
    },
    Task {
        name: "summarization",
        aliases: &["summarize", "summarise", "summarisation"],
        summary: "Say what is in a text in fewer words",
        inputs: &[Text],
        output: OutputKind::Summary,
        architectures: &["BartForConditionalGeneration", "PegasusForConditionalGeneration"],
        model_types: &["bart", "pegasus"],
        build: SUMMARIZATION,
        ..Task::EMPTY
    },
    Task {
        name: "question-answering",
        aliases: &["answer", "qa"],
        summary: "Find the answer to a question in a text",
        inputs: &[Text],
        output: OutputKind::Answer,
        architectures: &["ForQuestionAnswering"],
        ..Task::EMPTY
    },
    Task {
        name: "text-classification",
        aliases: &["sentiment-analysis"],
        summary: "Say which class a text belongs to",
        inputs: &[Text],
        output: OutputKind::Classification,
        architectures: &["ForSequenceClassification"],
        ..Task::EMPTY
    },
    Task {
        name: "zero-shot-classification",
        summary: "Say which of the given labels fits a text",
        inputs: &[Text],
        output: OutputKind::Classification,
        ..Task::EMPTY
    },
    Task {
        name: "token-classification",
        aliases: &["ner"],
        summary: "Find names and other spans in a text",
        inputs: &[Text],
        output: OutputKind::Tokens,
        architectures: &["ForTokenClassification"],
        ..Task::EMPTY
    },
    Task {
        name: "fill-mask",
        summary: "Fill in the masked word of a text",
        inputs: &[Text],
        output: OutputKind::FillMask,
        architectures: &["ForMaskedLM"],
        ..Task::EMPTY
    },
    Task {
        name: "feature-extraction",
        aliases: &["embed", "embedding", "sentence-similarity"],
        summary: "Turn a text into a vector",
        inputs: &[Text],
        output: OutputKind::Embedding,
        architectures: &[
            "BertModel",
            "RobertaModel",
            "XLMRobertaModel",
            "MPNetModel",
            "DistilBertModel",
        ],
        ..Task::EMPTY
    },
    Task {
        name: "image-classification",
        aliases: &["classify"],
        summary: "Say what is in an image",
        inputs: &[Image],
        output: OutputKind::Classification,
        default_model: Some("mnist-net"),
        architectures: &["ForImageClassification"],
        model_types: &["mnist-cnn", "mnist-net"],
        build: IMAGE_CLASSIFICATION,
    },
    Task {
        name: "zero-shot-image-classification",
        summary: "Say which of the given labels fits an image",
        inputs: &[Image],
        output: OutputKind::Classification,
        architectures: &["CLIPModel", "SiglipModel"],
        model_types: &["clip", "siglip"],
        ..Task::EMPTY
    },
    Task {
        name: "object-detection",
        aliases: &["detect"],
        summary: "Find the objects in an image",
        inputs: &[Image],
        output: OutputKind::Detection,
        architectures: &["ForObjectDetection"],
        model_types: &["detr", "yolos"],
        ..Task::EMPTY
    },
    Task {
        name: "image-segmentation",
        aliases: &["segment"],
        summary: "Say what each pixel of an image belongs to",
        inputs: &[Image],
        output: OutputKind::Detection,
        architectures: &[
            "ForSemanticSegmentation",
            "ForImageSegmentation",
            "ForInstanceSegmentation",
        ],
        model_types: &["segformer", "maskformer", "mask2former", "sam"],
        ..Task::EMPTY
    },
    Task {
        name: "image-to-text",
        aliases: &["caption", "image-captioning"],
        summary: "Describe an image in words",
        inputs: &[Image],
        output: OutputKind::Caption,
        architectures: &["VisionEncoderDecoderModel", "BlipForConditionalGeneration"],
        model_types: &["vision-encoder-decoder", "blip"],
        ..Task::EMPTY
    },
    Task {
        name: "visual-question-answering",
        aliases: &["vqa"],
        summary: "Answer a question about an image",
        inputs: &[Image],
        output: OutputKind::Answer,
        ..Task::EMPTY
    },
    Task {
        name: "automatic-speech-recognition",
        aliases: &["transcribe", "asr", "speech-to-text"],
        summary: "Write down what is said",
        inputs: &[Audio],
        output: OutputKind::Transcription,
        architectures: &[
            "WhisperForConditionalGeneration",
            "MoonshineForConditionalGeneration",
            "ForCTC",
            "ForSpeechSeq2Seq",
        ],
        default_model: Some("fsdd-strings"),
        model_types: &[
            "whisper",
            "moonshine",
            "wav2vec2",
            "hubert",
            "wav2vec2-bert",
            "wavlm",
        ],
        build: SPEECH_RECOGNITION,
    },
    Task {
        name: "audio-classification",
        summary: "Say what is heard",
        inputs: &[Audio],
        output: OutputKind::Classification,
        architectures: &[
            "ForAudioClassification",
            "HubertForSequenceClassification",
            "Wav2Vec2BertForSequenceClassification",
            "Wav2Vec2ForSequenceClassification",
        ],
        default_model: Some("fsdd-digits"),
        model_types: &[
            "audio-spectrogram-transformer",
            "wav2vec2",
            "hubert",
            "wav2vec2-bert",
            "wavlm",
        ],
        build: AUDIO_CLASSIFICATION,
        ..Task::EMPTY
    },
    Task {
        name: "text-to-speech",
        aliases: &["speak", "tts", "text-to-audio"],
        summary: "Say a text aloud",
        inputs: &[Text],
        output: OutputKind::Speech,
        default_model: Some("en-slt"),
        architectures: &[
            "ForTextToSpeech",
            "VitsModel",
            "FastSpeech2ConformerModel",
            "FastSpeech2ConformerWithHifiGan",
        ],
        model_types: &[
            "vits",
            "speecht5",
            "fastspeech2_conformer",
            "fastspeech2_conformer_with_hifigan",
        ],
        build: TEXT_TO_SPEECH,
    },
];

#[cfg(feature = "text")]
mod text {
    use crate::{Build, seq2seq_tasks, text_tasks};

    pub const TEXT_GENERATION: Option<Build> = Some(text_tasks::text_generation);
    pub const TEXT_TO_TEXT: Option<Build> = Some(seq2seq_tasks::text_to_text);
    pub const TRANSLATION: Option<Build> = Some(seq2seq_tasks::translation);
    pub const SUMMARIZATION: Option<Build> = Some(seq2seq_tasks::summarization);
}
#[cfg(not(feature = "text"))]
mod text {
    use crate::Build;

    pub const TEXT_GENERATION: Option<Build> = None;
    pub const TEXT_TO_TEXT: Option<Build> = None;
    pub const TRANSLATION: Option<Build> = None;
    pub const SUMMARIZATION: Option<Build> = None;
}
use text::{SUMMARIZATION, TEXT_GENERATION, TEXT_TO_TEXT, TRANSLATION};

#[cfg(feature = "speech")]
mod speech {
    use crate::{Build, speech_tasks};

    pub const SPEECH_RECOGNITION: Option<Build> = Some(speech_tasks::speech_recognition);
    pub const AUDIO_CLASSIFICATION: Option<Build> = Some(speech_tasks::audio_classification);
    pub const TEXT_TO_SPEECH: Option<Build> = Some(speech_tasks::text_to_speech);
}
#[cfg(not(feature = "speech"))]
mod speech {
    use crate::Build;

    pub const SPEECH_RECOGNITION: Option<Build> = None;
    pub const AUDIO_CLASSIFICATION: Option<Build> = None;
    pub const TEXT_TO_SPEECH: Option<Build> = None;
}
use speech::{AUDIO_CLASSIFICATION, SPEECH_RECOGNITION, TEXT_TO_SPEECH};

#[cfg(feature = "vision")]
const IMAGE_CLASSIFICATION: Option<Build> = Some(crate::vision_tasks::image_classification);
#[cfg(not(feature = "vision"))]
const IMAGE_CLASSIFICATION: Option<Build> = None;
